"""A job on a node that does not care whether we are still connected.

``start`` leaves a script running in a session of its own; its folder ``<base>/<job id>`` holds the script,
its output (``log``), its exit code (``exit_code``, put there in one rename) and a ``lock``. Script and
children hold that lock open: as long as one of them lives the job is running, and when the lock is free and
there is no exit code the job was lost, with the machine's power for instance. No process id is kept, so none
can be mistaken for another's.

Where systemd runs, the job has a scope of its own: logind may end all that a user leaves behind at the end of
a login (``KillUserProcesses``), and setsid alone does not leave the login's scope.
"""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from escalator.model.errors import InvalidRequestError, NodeFaultError, TransientError
from escalator.model.verdict import Code
from escalator.system_support.shell import CommandResult, Connect, Shell

DEFAULT_BASE = "/var/lib/escalator/jobs"
TAIL_BYTES = 4000
"""Bytes of a job's output that its status carries."""
_JOB_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}")
_FIRST_POLL_SECONDS = 0.2
_BUSY = 75
"""Exit code by which our scripts say that a lock is held."""

log = logging.getLogger(__name__)

T = TypeVar("T")
Clock = Callable[[], datetime]
Sleep = Callable[[float], None]


class JobState(StrEnum):
    """How a job stands."""

    ABSENT = "absent"
    RUNNING = "running"
    EXITED = "exited"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """How a job stands, its exit code when it has one, and the end of its output."""

    state: JobState
    exit_code: int | None = None
    output: str = ""

    @property
    def succeeded(self) -> bool:
        """Tell whether the job ended with exit code 0."""
        return self.state is JobState.EXITED and self.exit_code == 0


class NodeUnreachableError(NodeFaultError):
    """The node could not be reached until the deadline."""


class JobOverdueError(NodeFaultError):
    """The job still runs at its deadline; it is left running."""


_START = """\
set -eu
umask 077
mkdir -p {base}
chmod 0700 {base}
exec 8>{base}/.lock
flock -w 20 8
if [ -d {folder} ]; then echo joined; exit 0; fi
rm -rf {folder}.new
mkdir {folder}.new
printf '%s' {script} >{folder}.new/script
exec 9>{folder}.new/lock
flock 9
mv -T {folder}.new {folder}
apart=
if timeout 10 systemd-run --quiet --collect --scope true </dev/null >/dev/null 2>&1; then
  apart='systemd-run --quiet --collect --scope'
fi
setsid $apart /bin/sh -c {wrapper} </dev/null >>{folder}/log 2>&1 8>&- &
echo started
"""
_WRAPPER = """\
/bin/sh {folder}/script
printf '%s\\n' "$?" >{folder}/exit_code.new
mv -T {folder}/exit_code.new {folder}/exit_code
"""
_STATE = """\
code() {{ cat {folder}/exit_code 2>/dev/null; }}
if [ ! -d {folder} ]; then echo absent; exit 0; fi
if [ -s {folder}/exit_code ]; then echo "exited $(code)"
else
  flock -E {busy} -s -n {folder}/lock true; held=$?
  if [ "$held" = {busy} ]; then echo running
  elif [ "$held" != 0 ]; then exit 1
  elif [ -s {folder}/exit_code ]; then echo "exited $(code)"
  else echo lost; fi
fi
tail -c {tail} {folder}/log 2>/dev/null || true
"""
_CLEANUP = """\
if [ ! -d {folder} ]; then exit 0; fi
if [ ! -s {folder}/exit_code ]; then flock -E {busy} -s -n {folder}/lock true || exit; fi
rm -rf {folder}
"""


def start(shell: Shell, job_id: str, script: str, *, base: str = DEFAULT_BASE) -> bool:
    """Start a POSIX sh script as a detached job of root; a second start of the same id joins the first.

    :param job_id: letters, digits and ``_.+-``, at most 128; the same work must always get the same id.
    :param base: folder of all jobs on the node, made with mode 0700.
    :return: whether it was started now; False when a job of that id, running or ended, is already there.
    :raises TransientError: when the connection is lost; start it again: it may have started or not.
    :raises NodeFaultError: when the node cannot keep the job's folder.
    """
    folder = _folder(base, job_id)
    wrapper = _WRAPPER.format(folder=folder)
    command = _START.format(
        base=shlex.quote(base), folder=folder, script=shlex.quote(script), wrapper=shlex.quote(wrapper)
    )
    return _must(shell, command, "cannot start a job").stdout.split()[-1:] == ["started"]


def read_state(shell: Shell, job_id: str, *, base: str = DEFAULT_BASE) -> JobStatus:
    """Read how a job stands.

    :raises TransientError: when the connection is lost.
    :raises NodeFaultError: when the node cannot say.
    """
    command = _STATE.format(folder=_folder(base, job_id), busy=_BUSY, tail=TAIL_BYTES)
    words, _, output = _must(shell, command, "cannot read a job").stdout.partition("\n")
    name, _, code = words.partition(" ")
    if name != JobState.EXITED:
        return JobStatus(state=JobState(name), output=output)
    return JobStatus(state=JobState.EXITED, exit_code=int(code), output=output)


def clean_up(shell: Shell, job_id: str, *, base: str = DEFAULT_BASE) -> None:
    """Remove what an ended or lost job left; nothing when there is none.

    :raises NodeFaultError: when the job still runs; it is left alone.
    :raises TransientError: when the connection is lost.
    """
    _must(shell, _CLEANUP.format(folder=_folder(base, job_id), busy=_BUSY), f"job {job_id} still runs")


def wait(
    connect: Connect,
    job_id: str,
    *,
    deadline: datetime,
    clock: Clock,
    sleep: Sleep,
    base: str = DEFAULT_BASE,
    poll_seconds: float = 2.0,
) -> JobStatus:
    """Wait until a job no longer runs; connect again whenever the connection is lost.

    :param deadline: aware time after which nothing is tried any more; one try is made in any case.
    :param poll_seconds: longest pause between two looks; the first pauses are shorter.
    :return: a status that is not RUNNING.
    :raises NodeUnreachableError: when the node cannot be reached until the deadline.
    :raises JobOverdueError: when the job still runs then.
    """

    def look(shell: Shell) -> JobStatus:
        return _watch(
            shell, job_id, deadline=deadline, clock=clock, sleep=sleep, base=base, poll_seconds=poll_seconds
        )

    return reach(connect, look, deadline=deadline, clock=clock, sleep=sleep)


def run_to_end(
    connect: Connect,
    job_id: str,
    script: str,
    *,
    deadline: datetime,
    clock: Clock,
    sleep: Sleep,
    base: str = DEFAULT_BASE,
    restarts: int = 2,
) -> JobStatus:
    """Run an idempotent script to its end, whatever happens to the connection, the job or the node's power.

    A job of that id that still runs is joined; one that has ended or was lost before this call is run again.
    A job that succeeded leaves nothing behind, the folder of one that failed stays.

    :param restarts: how many times a job that is lost on the way is started again.
    :return: EXITED, or LOST when the restarts are used up.
    :raises NodeUnreachableError: when the node cannot be reached until the deadline.
    :raises JobOverdueError: when the job still runs then.
    """
    begun = False

    def attempt(shell: Shell) -> JobStatus:
        nonlocal begun
        if not begun:
            _clean_up_old(shell, job_id, base=base)
            start(shell, job_id, script, base=base)
            begun = True
        status = _watch(shell, job_id, deadline=deadline, clock=clock, sleep=sleep, base=base)
        if status.succeeded:
            with suppress(TransientError, NodeFaultError):  # somebody else may have begun one since
                clean_up(shell, job_id, base=base)
        return status

    while True:
        status = reach(connect, attempt, deadline=deadline, clock=clock, sleep=sleep)
        if status.state is JobState.EXITED or restarts <= 0:
            return status
        restarts -= 1
        begun = False


def _clean_up_old(shell: Shell, job_id: str, *, base: str) -> None:
    """Remove what an ended or lost job left, unless somebody else has begun one meanwhile: it is joined."""
    if read_state(shell, job_id, base=base).state not in {JobState.EXITED, JobState.LOST}:
        return
    try:
        clean_up(shell, job_id, base=base)
    except NodeFaultError:
        if read_state(shell, job_id, base=base).state is not JobState.RUNNING:
            raise


def reach(
    connect: Connect,
    action: Callable[[Shell], T],
    *,
    deadline: datetime,
    clock: Clock,
    sleep: Sleep,
    pause_seconds: float = 2.0,
) -> T:
    """Do an idempotent action on a node; connect and do it again after every TransientError.

    :raises NodeUnreachableError: when no try until the deadline got through; one is made always.
    :raises LoginRefusedError: at once: its caller waits better, without a worker.
    """
    said = ""
    while True:
        try:
            with connect() as shell:
                return action(shell)
        except TransientError as exc:
            if clock() >= deadline:
                raise NodeUnreachableError(
                    f"{exc.message} (tried until {deadline.isoformat()})",
                    remedy="see whether the node has power and network, and whether its sshd runs",
                    code=Code.NODE_UNREACHABLE,
                ) from exc
            if exc.message != said:
                said = exc.message
                log.info("trying again until %s: %s", deadline.isoformat(), said)
        sleep(pause_seconds)


def _watch(
    shell: Shell,
    job_id: str,
    *,
    deadline: datetime,
    clock: Clock,
    sleep: Sleep,
    base: str,
    poll_seconds: float = 2.0,
) -> JobStatus:
    """Look at a job over one connection until it no longer runs."""
    pause = _FIRST_POLL_SECONDS
    while (status := read_state(shell, job_id, base=base)).state is JobState.RUNNING:
        if clock() >= deadline:
            raise JobOverdueError(
                f"node {shell.host}: job {job_id} still runs at its deadline {deadline.isoformat()}",
                remedy=f"look at {base}/{job_id}/log on the node",
            )
        sleep(pause)
        pause = min(poll_seconds, pause * 1.5)
    return status


def _folder(base: str, job_id: str) -> str:
    if not _JOB_ID.fullmatch(job_id):
        raise InvalidRequestError(f"job id {job_id!r} is not possible", remedy="use letters, digits and _.+-")
    if not base.startswith("/"):
        raise InvalidRequestError(f"job folder {base!r} is not absolute", remedy="give an absolute path")
    return shlex.quote(f"{base}/{job_id}")


def _must(shell: Shell, command: str, trouble: str) -> CommandResult:
    result = shell.run_as_root(command)
    if not result.ok:
        raise NodeFaultError(
            f"node {shell.host}: {trouble}: {result.last_words}",
            remedy="read what it says; the job folder has to be writable",
        )
    return result
