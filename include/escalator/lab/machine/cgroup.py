"""Which processes are a machine's, or a lab's: all that are in its control group, and no others."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from escalator.lab.errors import LabError
from escalator.lab.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable

MOUNTS = Path("/proc/self/mountinfo")
GONE_SECONDS = 10.0
PREFIX = "escalator-lab-"
"""What the names of all our groups begin with."""
_SETTLED_SECONDS = 60.0
"""Age of a group that nobody is about to join for the first time."""
_LEFT_OUT = frozenset({"cpu", "cpuset"})
"""Controllers of version 1 in which a new group takes no process before it has been given its share."""
_JOIN = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 1; shift; done; shift; exec "$@"'


def find_hierarchies(mountinfo: str) -> tuple[Path, ...]:
    """Return where the hierarchies of control groups are mounted, by the text of ``/proc/PID/mountinfo``."""
    found = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind == "cgroup2" or (kind == "cgroup" and _LEFT_OUT.isdisjoint(options.split(","))):
            found.append(Path(before.split(" ")[4]))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cgroup:
    """The control group of one machine, or of the services of one lab, in every hierarchy.

    A process gets into it by being started there and cannot leave it, so that nothing else has to remember
    what was started: a process id that the kernel has given to somebody else is never signalled.

    :param name: of the group, unique on this computer.
    :param hierarchies: where the hierarchies are mounted.
    """

    name: str
    hierarchies: tuple[Path, ...]

    @classmethod
    def named(cls, name: str) -> Cgroup:
        """Return the group of a name on this computer."""
        return cls(name=f"{PREFIX}{name}", hierarchies=find_hierarchies(MOUNTS.read_text()))

    @property
    def folders(self) -> tuple[Path, ...]:
        """Return the folders of the group, one a hierarchy."""
        return tuple(hierarchy / self.name for hierarchy in self.hierarchies)

    def make(self) -> None:
        """Make the group; one that exists stays as it is.

        :raises LabError: when the kernel refuses it.
        """
        for folder in self.folders:
            try:
                folder.mkdir(exist_ok=True)
                os.utime(folder)  # so that ``prune`` leaves it alone until the first process has joined
            except OSError as error:
                raise LabError(
                    f"the control group {folder} cannot be made: {error.strerror}",
                    "run as root where /sys/fs/cgroup is writable",
                ) from error

    def joined_by(self, command: Iterable[str | Path]) -> tuple[str | Path, ...]:
        """Return a command that joins the group, which exists, and then becomes the one that is given."""
        return ("sh", "-c", _JOIN, "sh", *self.folders, "--", *command)

    def fetch_processes(self) -> frozenset[int]:
        """Return the ids of all processes of the group and of the groups in it."""
        inside = (Path(path) for folder in self.folders for path, _, _ in os.walk(folder))
        return frozenset(int(pid) for path in inside for pid in _read(path / "cgroup.procs").split())

    def ensure_killed(self) -> bool:
        """Kill all processes of the group and wait until the kernel has buried them.

        :return: whether there was one. A second run finds none.
        :raises LabError: when some are still there after ten seconds.
        """
        if not self.fetch_processes():
            return False
        if not wait_until(self._is_empty_after_kill, timeout_seconds=GONE_SECONDS, poll_seconds=0.02):
            raise LabError(f"processes of {self.name} do not end: {sorted(self.fetch_processes())}")
        return True

    def ensure_removed(self) -> None:
        """Kill what is in the group and remove it; a second run finds nothing.

        :raises LabError: when it is still there after ten seconds.
        """
        if not wait_until(self._is_removed, timeout_seconds=GONE_SECONDS, poll_seconds=0.02):
            raise LabError(f"the control group {self.name} cannot be removed")

    def _is_removed(self) -> bool:
        """Remove the group; what joins it meanwhile, as its starter was killed, is killed the next time."""
        self.ensure_killed()
        for folder in self.folders:
            _remove_empty(folder)
        return not any(folder.exists() for folder in self.folders)

    def _is_empty_after_kill(self) -> bool:
        pids = self.fetch_processes()
        for pid in pids:
            self._kill(pid)
        return not pids

    def _kill(self, pid: int) -> None:
        """Kill a process; the handle is taken first, so that what is looked at is what is killed."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            handle = os.pidfd_open(pid)
            try:
                if f"/{self.name}" in _read(Path(f"/proc/{pid}/cgroup")):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
            finally:
                os.close(handle)
            os.waitpid(pid, os.WNOHANG)  # in case it was a child of ours


def prune(hierarchies: Iterable[Path], *, now: float) -> tuple[str, ...]:
    """Remove the groups that nothing runs in: those of machines and labs whose own process was killed.

    A group outlives the last process in it, and the kernel refuses to remove one that has a process.

    :param now: in seconds since the epoch.
    :return: the names of those that were removed.
    """
    gone = set()
    for folder in (each for hierarchy in hierarchies for each in hierarchy.glob(f"{PREFIX}*")):
        with contextlib.suppress(FileNotFoundError):  # its own lab may be removing it
            if now - folder.stat().st_mtime > _SETTLED_SECONDS:
                _remove_empty(folder)
        if not folder.exists():
            gone.add(folder.name)
    return tuple(sorted(gone))


def _remove_empty(folder: Path) -> None:
    """Remove a group and those in it, the innermost first, as far as they are empty."""
    for path, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            Path(path).rmdir()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the group, or the process, has just gone
        return ""
