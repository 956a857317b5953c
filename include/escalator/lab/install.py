"""Install what the lab is made of: Debian packages, virtual environments, warm caches."""

import fcntl
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from escalator.lab.errors import LabError
from escalator.lab.pins import CONTROL_PLANE, DEBIAN_PACKAGES, ML2_DRIVER, nova
from escalator.lab.progress import Progress
from escalator.lab.settings import LabSettings

PACKAGE = Path(__file__).parent
POLICY = Path("/usr/sbin/policy-rc.d")
COMPLETE = ".escalator-lab"
_DENY_SERVICES = "#!/bin/sh\nexit 101\n"
_NODE_PATH = Path("/opt/nova")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """Bring in whatever is lacking; a second run finds everything and does nothing.

    :param settings: where things go and which releases are wanted.
    :param progress: told about each step that takes time.
    """

    settings: LabSettings
    progress: Progress

    def ensure(self) -> None:
        """Install all that is lacking.

        :raises LabError: when something cannot be installed; the message says what to do by hand.
        """
        self.settings.home.mkdir(parents=True, exist_ok=True)
        with (self.settings.home / "install.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another lab may be installing at this moment
            self._ensure_all()

    def _ensure_all(self) -> None:
        ensure_debian_packages(DEBIAN_PACKAGES, self.progress)
        releases = dict.fromkeys((self.settings.from_release, self.settings.to_release))
        with ThreadPoolExecutor(max_workers=2) as pool:
            jobs = [pool.submit(self._ensure_control_venv), pool.submit(self._ensure_releases, releases)]
            for job in jobs:
                job.result()
        self._ensure_ssh_key()

    def _ensure_control_venv(self) -> None:
        venv = self.settings.control_venv
        if _is_complete(venv):
            return
        self.progress.say("installing the control plane: Keystone, Placement, Nova, Glance, Neutron")
        build = self.settings.home / "build" / "ml2"
        shutil.rmtree(build, ignore_errors=True)
        shutil.copytree(ML2_DRIVER, build)
        self._make_venv(venv, [*CONTROL_PLANE, str(build)], compile_bytecode=True)
        _mark_complete(venv)
        self.progress.say("control plane installed")

    def _ensure_releases(self, releases: Iterable[str]) -> None:
        for release in releases:
            self._ensure_release(release)

    def _ensure_release(self, release: str) -> None:
        """Make the template of a release under its path in a node, and fill the bytecode cache."""
        tree = self.settings.release_tree(release)
        if _is_complete(tree):
            return
        self.progress.say(f"installing Nova {release} for the nodes")
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        venv = _NODE_PATH / f"venv-{release}"
        uv = self._kept_uv()
        self._enclosed(tree, [uv, "venv", "-q", "--python", str(self.settings.python), str(venv)])
        self._enclosed(tree, [uv, "pip", "install", "-q", "-p", str(venv), nova(release)])
        self.progress.say(f"compiling Nova {release}")
        self._enclosed(
            tree,
            [f"{venv}/bin/python", "-m", "compileall", "-q", "-j", "2", f"{venv}/lib"],
            check=False,  # some packages carry files that are not for this Python
        )
        _mark_complete(tree)
        self.progress.say(f"Nova {release} installed")

    def _ensure_ssh_key(self) -> None:
        key = self.settings.ssh_key
        if not key.exists():
            key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "escalator-lab", "-f", str(key)])

    def _make_venv(self, venv: Path, packages: Sequence[str], *, compile_bytecode: bool) -> None:
        environment = {"UV_CACHE_DIR": str(self.settings.uv_cache)}
        shutil.rmtree(venv, ignore_errors=True)
        _run([self._uv(), "venv", "-q", "--python", str(self.settings.python), str(venv)], environment)
        flags = ["--compile-bytecode"] if compile_bytecode else []
        _run([self._uv(), "pip", "install", "-q", *flags, "-p", str(venv), *packages], environment)

    def _enclosed(self, tree: Path, command: Sequence[str], *, check: bool = True) -> None:
        """Run a command where ``tree`` is /opt/nova, with the nodes' own caches and link mode."""
        upper = tree.with_name(f"{tree.name}.upper")
        enclose = [sys.executable, str(PACKAGE / "node" / "enclose.py"), str(upper), str(self.settings.home)]
        unshare = ["unshare", "--mount", "--pid", "--fork"]
        try:
            _run(
                [*unshare, *enclose, str(tree), str(_NODE_PATH), *command],
                node_caches(self.settings),
                check=check,
            )
        finally:
            shutil.rmtree(upper, ignore_errors=True)

    def _kept_uv(self) -> str:
        """Return uv as a node sees it: the lab's folder stays visible there, others may not (/tmp, /opt)."""
        kept = self.settings.home / "bin" / "uv"
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_name(f"uv.{os.getpid()}.{threading.get_ident()}")
        shutil.copy2(self._uv(), fresh)
        fresh.replace(kept)
        return str(kept)

    def _uv(self) -> str:
        beside = Path(sys.executable).parent
        found = shutil.which("uv", path=os.pathsep.join((str(beside), os.environ.get("PATH", os.defpath))))
        if found is None:
            raise LabError(
                f"uv is neither in {beside} nor on the PATH", f"{sys.executable} -m pip install uv"
            )
        return found


class ServicesHeldBack:
    """Keep Debian packages from starting services while they are installed; then leave the policy as found.

    :param policy: the file that Debian's maintainer scripts ask.
    """

    def __init__(self, policy: Path) -> None:
        self._policy = policy
        self._found: tuple[bytes, int] | None = None

    def __enter__(self) -> None:
        """Forbid services to start."""
        if self._policy.exists():
            self._found = self._policy.read_bytes(), self._policy.stat().st_mode
        self._policy.write_text(_DENY_SERVICES)
        self._policy.chmod(0o755)

    def __exit__(self, *_: object) -> None:
        """Restore what was there before."""
        if self._found is None:
            self._policy.unlink(missing_ok=True)
            return
        content, mode = self._found
        self._policy.write_bytes(content)
        self._policy.chmod(mode)


def ensure_debian_packages(wanted: Sequence[str], progress: Progress) -> None:
    """Install the Debian packages that are lacking; none of their services is started.

    :raises LabError: when this is not root on Debian; the message says what to do by hand.
    """
    lacking = [name for name in wanted if not is_installed(name)]
    if not lacking:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise LabError(
            f"the lab needs the Debian packages {' '.join(lacking)}",
            f"as root: apt-get install --no-install-recommends {' '.join(lacking)}",
        )
    progress.say(f"installing Debian packages: {' '.join(lacking)} (their services stay off)")
    with ServicesHeldBack(POLICY):
        _run(["apt-get", "update", "-q"])
        _run(
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", *lacking],
            {"DEBIAN_FRONTEND": "noninteractive"},
        )


def node_caches(settings: LabSettings) -> dict[str, str]:
    """Return the variables that make installing and starting Nova in a node quick: shared, warm caches."""
    return {
        "UV_CACHE_DIR": str(settings.uv_cache),
        "UV_LINK_MODE": "symlink",
        "UV_PYTHON": str(settings.python),
        "PYTHONPYCACHEPREFIX": str(settings.pycache),
    }


def is_installed(package: str) -> bool:
    """Tell whether a Debian package is installed."""
    if shutil.which("dpkg-query") is None:
        return False
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout == "installed"


def _run(command: Sequence[str], extra: Mapping[str, str] | None = None, *, check: bool = True) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= extra or {}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        last = (done.stderr or done.stdout).strip()[-1500:]
        raise LabError(f"{' '.join(command)} failed with {done.returncode}: {last}", "see the message above")


def _is_complete(folder: Path) -> bool:
    return (folder / COMPLETE).exists()


def _mark_complete(folder: Path) -> None:
    (folder / COMPLETE).touch()
