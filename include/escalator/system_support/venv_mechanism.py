"""The bundle mechanism ``venv``: a version is a virtual environment, a link says which one is used."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from escalator.model.bundle import VenvMechanism
from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code, Subject, SubjectType, Verdict
from escalator.system_support import remote_job
from escalator.system_support.remote_job import Clock, JobState, JobStatus, Sleep
from escalator.system_support.shell import Connect, Shell
from escalator.system_support.venv_scripts import activate_script, check_script, read_script, stage_script

_PREFIX = "escalator: "


class Outcome(StrEnum):
    """What a script of the mechanism did."""

    STAGED = "staged"
    ALREADY_STAGED = "already-staged"
    ACTIVATED = "activated"
    ALREADY_ACTIVE = "already-active"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledVersion:
    """What is on the node, read at one moment.

    :ivar target: environment that the link points to; None without a link.
    :ivar version: version of the package that the environment's metadata says.
    :ivar running: version that the service has loaded; None when it does not run or this cannot be told.
    :ivar previous: environment that the link pointed to before the last switch.
    """

    target: str | None
    version: str | None
    running: str | None
    previous: str | None
    main_pid: int | None
    active: bool


class JobFailedError(NodeFaultError):
    """A script ended with an error on the node, or was lost too often.

    :ivar status: the job's end, with its last output.
    """

    def __init__(self, message: str, *, status: JobStatus, remedy: str) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status


def installed_version(shell: Shell, mechanism: VenvMechanism) -> InstalledVersion:
    """Read what the link points to, what the metadata there says and what the service runs.

    :raises TransientError: when the connection is lost.
    :raises NodeFaultError: when the node cannot say.
    """
    result = shell.run_as_root(read_script(mechanism))
    if not result.ok:
        raise NodeFaultError(
            f"node {shell.host}: cannot read what is installed: {result.last_words}",
            remedy=f"see that the folder of {mechanism.venv} exists",
        )
    found = dict(line.split("=", 1) for line in result.stdout.splitlines() if "=" in line)
    return InstalledVersion(
        target=found.get("link") or None,
        version=found.get("version") or None,
        running=found.get("running") or None,
        previous=found.get("previous") or None,
        main_pid=int(found["pid"]) if found.get("pid") else None,
        active=found.get("active") == "active",
    )


def service_active(shell: Shell, service: str) -> bool:
    """Tell whether systemd has the service running; False also when it knows no such service.

    :raises TransientError: when the connection is lost.
    """
    return shell.run(f"systemctl is-active {shlex.quote(service)}").ok


def ensure_staged(
    connect: Connect,
    mechanism: VenvMechanism,
    version: str,
    *,
    job_id: str,
    deadline: datetime,
    clock: Clock,
    sleep: Sleep,
    base: str = remote_job.DEFAULT_BASE,
) -> Outcome:
    """Make the version's environment on the node; a second run only verifies it. The service is not touched.

    :param job_id: the same for the same campaign, step and version: a run that was cut off is joined.
    :param deadline: aware time after which it is given up.
    :raises JobFailedError: when the environment cannot be made.
    :raises NodeFaultError: when the node is unreachable or still at it at the deadline.
    """
    script = stage_script(mechanism, version)
    status = remote_job.run_to_end(
        connect, job_id, script, deadline=deadline, clock=clock, sleep=sleep, base=base
    )
    what = f"{mechanism.package} {version} cannot be staged"
    return _outcome(status, what, log_file=f"{base}/{job_id}/log")


def ensure_activated(
    connect: Connect,
    mechanism: VenvMechanism,
    version: str,
    *,
    job_id: str,
    deadline: datetime,
    clock: Clock,
    sleep: Sleep,
    base: str = remote_job.DEFAULT_BASE,
) -> Outcome:
    """Point the link to the staged version and have the service run it; a second run restarts nothing.

    The parameters and errors are those of ``ensure_staged``. An earlier version is activated in the same way.
    """
    script = activate_script(mechanism, version)
    status = remote_job.run_to_end(
        connect, job_id, script, deadline=deadline, clock=clock, sleep=sleep, base=base
    )
    what = f"{mechanism.service} cannot be brought to {version}"
    return _outcome(status, what, log_file=f"{base}/{job_id}/log")


def check_privileges(
    shell: Shell, mechanism: VenvMechanism, *, base: str = remote_job.DEFAULT_BASE
) -> tuple[Verdict, ...]:
    """Find everything on the node that would keep the mechanism from working; empty means that it will work.

    :raises TransientError: when the connection is lost.
    """
    result = shell.run_as_root(check_script(mechanism, base))
    if not result.ok and not result.stdout:
        return (_verdict(shell.host, "privilege", f"commands cannot run as root: {result.last_words}"),)
    lines = [line.partition("|") for line in result.stdout.splitlines()]
    return tuple(_verdict(shell.host, kind, message) for kind, _, message in lines)


_CODES = {
    "privilege": Code.NODE_NO_PRIVILEGE,
    "path": Code.NODE_PATH_UNUSABLE,
    "tool": Code.NODE_TOOL_MISSING,
}
_REMEDIES = {
    "privilege": "connect as root, or allow the user sudo without a password",
    "path": "correct the path in the bundle, or its owner and mode on the node",
    "tool": "install it on the node",
}


def _verdict(host: str, kind: str, message: str) -> Verdict:
    return Verdict(
        code=_CODES[kind],
        message=message,
        subject=Subject(type=SubjectType.NODE, id=host),
        remedy=_REMEDIES[kind],
    )


def _outcome(status: JobStatus, what: str, *, log_file: str) -> Outcome:
    """Read what the script said last."""
    lines = [line for line in status.output.splitlines() if line.strip()]
    if not status.succeeded:
        how = "the job was lost" if status.state is JobState.LOST else f"exit code {status.exit_code}"
        last = lines[-1].removeprefix(_PREFIX) if lines else "no output"
        raise JobFailedError(f"{what}: {how}: {last}", status=status, remedy=f"read {log_file} on the node")
    return Outcome(lines[-1].removeprefix(_PREFIX))
