"""A mechanism's work on one node: a script that runs there as a remote job and says last what it did."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from escalator.model.errors import NodeFaultError
from escalator.system_support import remote_job
from escalator.system_support.remote_job import Clock, JobState, JobStatus, Sleep
from escalator.system_support.shell import Connect

PREFIX = "escalator: "
"""What a script says of itself begins so."""

log = logging.getLogger(__name__)


class Effect(StrEnum):
    """What a mechanism did on a node; the scripts say it in these words."""

    STAGED = "staged"
    ALREADY_STAGED = "already-staged"
    ACTIVATED = "activated"
    ALREADY_ACTIVE = "already-active"
    ROLLED_BACK = "rolled-back"
    ALREADY_BACK = "already-back"


class JobFailedError(NodeFaultError):
    """A script ended with an error on the node, or was lost too often.

    :ivar status: the job's end, with its last output.
    """

    def __init__(self, message: str, *, status: JobStatus, remedy: str) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeJob:
    """One piece of work on one node, and the time it has.

    :ivar connect: opens a connection to the node.
    :ivar version: what the bundle brings.
    :ivar job_id: the same for the same campaign, step and node: a run that was cut off is joined.
    :ivar deadline: aware time after which it is given up.
    :ivar before: what a script begins with, such as the look at the files that it needs; it ends the script
        where it fails.
    """

    connect: Connect
    version: str
    job_id: str
    deadline: datetime
    clock: Clock
    sleep: Sleep
    before: str = ""

    def run(self, script: str, *, trouble: str, base: str = remote_job.DEFAULT_BASE) -> Effect:
        """Run an idempotent script to its end and return what it says that it did; the log has the rest.

        :param trouble: begins the message of a failure, such as ``nova 34.0.0 cannot be staged``.
        :param base: folder of the remote jobs on the node.
        :raises JobFailedError: the script ended with an error, or was lost too often.
        :raises NodeFaultError: the node is unreachable, or still at it at the deadline.
        """
        status = self.run_to_status(script, trouble=trouble, base=base)
        lines = _list_lines(status)
        said = lines[-1].removeprefix(PREFIX) if lines else "nothing"
        if said not in list(Effect):
            raise JobFailedError(
                f"{trouble}: it ended well but does not say what it did: {said}",
                status=status,
                remedy=f"read {base}/{self.job_id}/log on the node",
            )
        for line in lines[:-1]:
            if line.startswith(PREFIX):
                log.info("%s: %s", self.job_id, line.removeprefix(PREFIX))
        return Effect(said)

    def run_to_status(self, script: str, *, trouble: str, base: str = remote_job.DEFAULT_BASE) -> JobStatus:
        """Run a script to its good end, whatever it says; raises as :meth:`run` does."""
        status = remote_job.run_to_end(
            self.connect,
            self.job_id,
            self.before + script,
            deadline=self.deadline,
            clock=self.clock,
            sleep=self.sleep,
            base=base,
        )
        if not status.succeeded:
            how = "the job was lost" if status.state is JobState.LOST else f"exit code {status.exit_code}"
            lines = _list_lines(status)
            last = lines[-1].removeprefix(PREFIX) if lines else "no output"
            raise JobFailedError(
                f"{trouble}: {how}: {last}",
                status=status,
                remedy=f"read {base}/{self.job_id}/log on the node",
            )
        return status


def _list_lines(status: JobStatus) -> list[str]:
    return [line for line in status.output.splitlines() if line.strip()]
