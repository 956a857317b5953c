"""Start and end processes that outlive the command which started them.

A pid file holds the process id, the time at which that process started (in clock ticks since boot) and the
identity of the boot, so that a process id which the kernel has given to somebody else is never signalled.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from escalator.lab.errors import ServiceFailedError

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """One process, and no other that may get the same id later.

    :param pid: process id.
    :param start_ticks: clock ticks from boot to the start of the process (field 22 of /proc/PID/stat).
    :param boot_id: the boot during which it ran.
    """

    pid: int
    start_ticks: int
    boot_id: str

    def is_alive(self) -> bool:
        """Tell whether this very process still runs; a zombie does not."""
        return identify(self.pid) == self


def identify(pid: int) -> ProcessIdentity | None:
    """Return the identity of a running process; None when there is none or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] in "ZX":
        return None
    return ProcessIdentity(pid=pid, start_ticks=int(fields[19]), boot_id=_BOOT_ID.read_text().strip())


def children(pid: int) -> tuple[int, ...]:
    """Return the direct children of a process."""
    try:
        return tuple(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    except OSError:
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PidFile:
    """The file that remembers one process of ours."""

    path: Path

    def write(self, pid: int) -> ProcessIdentity:
        """Remember a process that was just started.

        :raises ServiceFailedError: when it has ended already.
        """
        identity = identify(pid)
        if identity is None:
            raise ServiceFailedError(
                f"{self.path.stem} ended at once", f"read {self.path.stem}.out in the logs"
            )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".tmp")
        draft.write_text(json.dumps(asdict(identity)))
        draft.replace(self.path)
        return identity

    def read(self) -> ProcessIdentity | None:
        """Return the process that was remembered, alive or not; None when there is no readable file."""
        try:
            return ProcessIdentity(**json.loads(self.path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def alive(self) -> ProcessIdentity | None:
        """Return the process when it still runs."""
        identity = self.read()
        return identity if identity is not None and identity.is_alive() else None

    def forget(self) -> None:
        """Remove the file; a second time does nothing."""
        self.path.unlink(missing_ok=True)


def spawn(
    command: Sequence[str | Path],
    *,
    pid_file: PidFile,
    log: Path,
    environment: Mapping[str, str],
    cwd: Path | None = None,
) -> ProcessIdentity:
    """Start a process in a session of its own and remember it.

    :raises ServiceFailedError: when it ends at once.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=dict(environment),
            cwd=cwd,
        )
    identity = pid_file.write(process.pid)
    process.returncode = 0  # it outlives us: no warning at exit, and nobody waits for it here
    return identity


def ensure_stopped(
    pid_file: PidFile, *, sig: signal.Signals = signal.SIGTERM, timeout_seconds: float = 10.0
) -> bool:
    """End the process of a pid file; kill its whole session when it does not listen, or at once for SIGKILL.

    :return: whether there was something to end. A second run finds nothing and returns False.
    """
    identity = pid_file.alive()
    if identity is None:
        pid_file.forget()
        return False
    followers = [child for pid in children(identity.pid) if (child := identify(pid)) is not None]
    if sig is signal.SIGKILL:
        _kill_group(identity)
    else:
        _signal(identity.pid, sig)
    family = (identity, *followers)
    if not wait_until(lambda: not any(map(is_alive, family)), timeout_seconds=timeout_seconds):
        _kill_group(identity)
        wait_until(lambda: not any(map(is_alive, family)), timeout_seconds=5.0)
    pid_file.forget()
    return True


def is_alive(identity: ProcessIdentity) -> bool:
    """Tell whether the process runs, after burying it in case it is a dead child of this process."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(identity.pid, os.WNOHANG)
    return identity.is_alive()


def wait_until(
    condition: Callable[[], bool], *, timeout_seconds: float, poll_seconds: float = POLL_SECONDS
) -> bool:
    """Wait until the condition holds; tell whether it did in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(poll_seconds)
    return True


def _signal(pid: int, sig: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sig)


def _kill_group(identity: ProcessIdentity) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(identity.pid, signal.SIGKILL)
