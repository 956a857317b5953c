"""All processes that came out of one: the members of its session, and what left that session since.

Every component is started as the leader of a session of its own. The tasks' supervisors, the tasks and what
the tasks start stay in that session although they change their process group; a process that opens a session
of its own is still found as a descendant. The kernel gives a process id to nobody while a session is called
by it, so the session of a component that died is still known by the id of its leader.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from escalator.lab.processes import ProcessIdentity, identify, is_alive, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KILL_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One line of the process table; ``start_ticks`` counts from the boot."""

    pid: int
    parent: int
    session: int
    start_ticks: int


def read_process_table() -> dict[int, Process]:
    """Return all processes that run; zombies are left out."""
    found = map(_read, Path("/proc").glob("[0-9]*"))
    return {process.pid: process for process in found if process is not None}


def find_descendants(pid: int, table: Mapping[int, Process]) -> tuple[int, ...]:
    """Return the children of a process and theirs, parents first."""
    found: list[int] = []
    edge = [pid]
    while edge:
        edge = [process.pid for process in table.values() if process.parent in edge]
        found += edge
    return tuple(found)


def find_family(leader: ProcessIdentity, table: Mapping[int, Process]) -> tuple[int, ...]:
    """Return the living processes of the session that ``leader`` opened, and all their find_descendants."""
    present = table.get(leader.pid)
    if present is not None and present.start_ticks != leader.start_ticks:
        return ()  # the id was given away, so the session had ended
    members = [
        process.pid
        for process in table.values()
        if process.session == leader.pid and process.start_ticks >= leader.start_ticks
    ]
    below = [pid for member in members for pid in find_descendants(member, table)]
    return tuple(dict.fromkeys(members + below))


def find_at_home_in(folder: Path, program: str) -> tuple[ProcessIdentity, ...]:
    """Return the living processes of a program whose working folder this is, whoever started them.

    PostgreSQL's processes open a session each and outlive a killed leader for a moment: only their folder
    still says whose they are.
    """
    found = []
    for process in read_process_table().values():
        try:
            home, file = ((Path("/proc") / str(process.pid) / name).readlink() for name in ("cwd", "exe"))
        except OSError:  # it has ended, or it is somebody else's
            continue
        if home == folder and file.name == program:
            found.append(process.pid)
    return find_identities(found)


def end_family(
    leader: ProcessIdentity, *, grace_seconds: float, sig: signal.Signals = signal.SIGTERM
) -> None:
    """Ask a session's leader to end, then kill what is left of its family; a second run finds nothing."""
    known = find_identities(find_family(leader, read_process_table()))
    if leader.is_alive():
        _signal(leader.pid, sig)
        wait_until(lambda: not is_alive(leader), timeout_seconds=grace_seconds)
    kill_all((*known, *find_identities(find_family(leader, read_process_table()))))


def kill_all(processes: Iterable[ProcessIdentity]) -> None:
    """Kill processes and wait until they are gone, for some seconds at most."""
    doomed = tuple(dict.fromkeys(processes))
    for process in doomed:
        if process.is_alive():
            _signal(process.pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, doomed)), timeout_seconds=KILL_SECONDS)


def find_identities(pids: Iterable[int]) -> tuple[ProcessIdentity, ...]:
    """Return who the processes are that run under these ids now."""
    return tuple(identity for pid in pids if (identity := identify(pid)) is not None)


def _signal(pid: int, sig: signal.Signals) -> None:
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        return


def _read(folder: Path) -> Process | None:
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] in "ZX":
        return None
    return Process(
        pid=int(folder.name), parent=int(fields[1]), session=int(fields[3]), start_ticks=int(fields[19])
    )
