"""Install what the lab's control plane is made of: Debian packages, a virtual environment, uv, a key."""

import fcntl
import filecmp
import os
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from escalator.lab.debian_packages import ensure_debian_packages, run_installer
from escalator.lab.errors import LabError
from escalator.lab.pins import (
    CONTROL_PLANE,
    DEBIAN_PACKAGES,
    MACHINE_PACKAGES,
    MASAKARI,
    ML2_DRIVER,
    digest,
)
from escalator.lab.progress import Progress
from escalator.lab.settings import LabSettings
from escalator.lab.ssh_keys import ensure_key

PACKAGE = Path(__file__).parent
COMPLETE = ".escalator-lab"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """Bring in whatever is lacking; a second run finds everything and does nothing.

    :param settings: where things go.
    :param progress: told about each step that takes time.
    """

    settings: LabSettings
    progress: Progress

    def ensure_tools(self) -> None:
        """Install what everything else is made with: Debian packages, uv, the key that opens the nodes.

        :raises LabError: when something cannot be installed; the message says what to do by hand.
        """
        with self._alone("tools"):
            ensure_debian_packages((*DEBIAN_PACKAGES, *MACHINE_PACKAGES), self.progress)
            self._ensure_uv()
            self._ensure_ssh_key()

    def ensure_control_plane(self) -> None:
        """Install the control plane.

        :raises LabError: when something cannot be installed; the message says what to do by hand.
        """
        with self._alone("install"):
            self._ensure_control_venv()

    def ensure_masakari(self) -> Path:
        """Install Masakari's API into an environment of its own; return that.

        :raises LabError: when something cannot be installed; the message says what to do by hand.
        """
        venv = self.settings.home / "venvs" / f"masakari-{digest(str(self.settings.python), *MASAKARI)}"
        with self._alone("masakari"):
            if not (venv / COMPLETE).exists():
                self.progress.say("installing Masakari")
                self._make_venv(venv, MASAKARI)
                (venv / COMPLETE).touch()
        return venv

    @contextmanager
    def _alone(self, what: str) -> Iterator[None]:
        """Wait while another lab installs the same."""
        self.settings.home.mkdir(parents=True, exist_ok=True)
        with (self.settings.home / f"{what}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _ensure_control_venv(self) -> None:
        venv = self.settings.control_venv
        if (venv / COMPLETE).exists():
            return
        self.progress.say("installing the control plane: Keystone, Placement, Nova, Glance, Neutron")
        build = self.settings.home / "build" / "ml2"
        shutil.rmtree(build, ignore_errors=True)
        shutil.copytree(ML2_DRIVER, build)
        self._make_venv(venv, [*CONTROL_PLANE, str(build)])
        (venv / COMPLETE).touch()
        self.progress.say("control plane installed")

    def _ensure_ssh_key(self) -> None:
        key = self.settings.ssh_key
        key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        ensure_key(key, owner="escalator-lab")

    def _make_venv(self, venv: Path, packages: Sequence[str]) -> None:
        environment = {"UV_CACHE_DIR": str(self.settings.uv_cache)}
        uv = str(self.settings.uv)
        shutil.rmtree(venv, ignore_errors=True)
        run_installer([uv, "venv", "-q", "--python", str(self.settings.python), str(venv)], environment)
        install = [uv, "pip", "install", "-q", "--compile-bytecode", "-p", str(venv), *packages]
        run_installer(install, environment)

    def _ensure_uv(self) -> None:
        """Keep a uv of the lab's own: it is copied into the nodes' disks."""
        kept, found = self.settings.uv, self._find_uv()
        if kept.exists() and filecmp.cmp(kept, found):
            return
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_name(f"uv.{os.getpid()}.{threading.get_ident()}")
        shutil.copy2(found, fresh)
        fresh.replace(kept)

    @staticmethod
    def _find_uv() -> str:
        beside = Path(sys.executable).parent
        found = shutil.which("uv", path=os.pathsep.join((str(beside), os.environ.get("PATH", os.defpath))))
        if found is None:
            raise LabError(
                f"uv is neither in {beside} nor on the PATH", f"{sys.executable} -m pip install uv"
            )
        return found
