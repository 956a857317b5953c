"""Debian packages of this computer: what is lacking is installed, and none of their services is started."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from escalator.lab.errors import LabError
from escalator.lab.progress import Progress

POLICY = Path("/usr/sbin/policy-rc.d")
_DENY_SERVICES = "#!/bin/sh\nexit 101\n"


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
    lacking = fetch_lacking(wanted)
    if not lacking:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise LabError(
            f"the lab needs the Debian packages {' '.join(lacking)}",
            f"as root: apt-get install --no-install-recommends {' '.join(lacking)}",
        )
    progress.say(f"installing Debian packages: {' '.join(lacking)} (their services stay off)")
    with ServicesHeldBack(POLICY):
        run_installer(["apt-get", "update", "-q"])
        run_installer(
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", *lacking],
            {"DEBIAN_FRONTEND": "noninteractive"},
        )


def fetch_lacking(packages: Sequence[str]) -> list[str]:
    """Return those Debian packages that are not installed."""
    if shutil.which("dpkg-query") is None:
        return list(packages)
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *packages]
    told = subprocess.run(query, capture_output=True, text=True, check=False).stdout.splitlines()
    return [name for name in packages if f"{name} installed" not in told]


def run_installer(command: Sequence[str], extra: Mapping[str, str] | None = None) -> None:
    """Run a program that installs something.

    :param extra: variables that it gets beside those of this process.
    :raises LabError: when it fails, with its last words.
    """
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= extra or {}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip()[-1500:]
        raise LabError(f"{' '.join(command)} failed with {done.returncode}: {last}", "see the message above")
