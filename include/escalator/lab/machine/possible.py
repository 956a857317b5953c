"""Whether machines can run on this computer, and what is missing where they cannot."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from escalator.lab.errors import LabError
from escalator.lab.machine.cgroup import MOUNTS, find_hierarchies

PROGRAMS = (
    "systemd-nspawn",
    "mmdebstrap",
    "gpg",
    "gpgconf",
    "dpkg-deb",
    "nsenter",
    "setpriv",
    "unshare",
    "ssh-keygen",
)
_CAPABILITIES = {18: "CAP_SYS_CHROOT", 21: "CAP_SYS_ADMIN", 27: "CAP_MKNOD"}
"""Number of a capability -> its name (linux/capability.h)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Computer:
    """What machines need of the computer that they run on.

    :param user: effective user id of this process.
    :param architecture: of the processor, as ``uname -m`` has it.
    :param capabilities: of this process, one bit each.
    :param programs: those of ``PROGRAMS`` that were found.
    :param file_systems: text of ``/proc/filesystems``.
    :param writable: whether a control group can be made in every hierarchy, and there is one.
    """

    user: int
    architecture: str
    capabilities: int
    programs: frozenset[str]
    file_systems: str
    writable: bool

    @classmethod
    def this(cls) -> Computer:
        """Return what this computer has."""
        status = Path("/proc/self/status").read_text()
        effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
        hierarchies = find_hierarchies(MOUNTS.read_text())
        return cls(
            user=os.geteuid(),
            architecture=os.uname().machine,
            capabilities=int(effective, 16),
            programs=frozenset(name for name in PROGRAMS if shutil.which(name)),
            file_systems=Path("/proc/filesystems").read_text(),
            writable=bool(hierarchies) and all(os.access(each, os.W_OK) for each in hierarchies),
        )

    def lacks_rights(self) -> tuple[str, ...]:
        """Return what is missing that no package brings, the most basic first."""
        missing = []
        if self.user != 0:
            missing.append("root")
        elif lacking := [name for bit, name in _CAPABILITIES.items() if not self.capabilities >> bit & 1]:
            missing.append(f"{', '.join(lacking)} (a container without the rights?)")
        if self.architecture != "x86_64":
            missing.append(f"a processor of type x86_64 (this is {self.architecture})")
        if "overlay" not in self.file_systems.split():
            missing.append("the file system overlay (modprobe overlay)")
        if not self.writable:
            missing.append("a writable /sys/fs/cgroup")
        return tuple(missing)

    def lacks(self) -> tuple[str, ...]:
        """Return all that is missing; nothing where machines can run."""
        programs = [f"the program {name}" for name in PROGRAMS if name not in self.programs]
        return (*self.lacks_rights(), *programs)


def check_rights(computer: Computer) -> None:
    """Raise an error where machines could not run whatever was installed.

    :raises LabError: with one sentence that names all that is missing.
    """
    _refuse(computer.lacks_rights())


def check_possible(computer: Computer) -> None:
    """Raise an error where machines cannot run.

    :raises LabError: with one sentence that names all that is missing.
    """
    _refuse(computer.lacks())


def _refuse(missing: tuple[str, ...]) -> None:
    if missing:
        raise LabError(
            f"machines cannot run here: {'; '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing",
            "run as root on Debian or Ubuntu, in a virtual machine rather than in a container",
        )
