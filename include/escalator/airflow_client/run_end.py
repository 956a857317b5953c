"""What a person is told when a run has ended: why tasks failed, and where the report is, by their logs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from escalator.airflow_client.records import TaskState
from escalator.model.errors import EscalatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from escalator.airflow_client.client import AirflowClient
    from escalator.airflow_client.records import DagRun, TaskInstance

MOST_LOGS = 10
"""Failed tasks whose logs are read."""
CONCLUDE = "conclude"
_REPORT = re.compile(r"\breport: (?P<path>\S.*)$")
_REASON = re.compile(r"^\s+(?:[\w.]*\.)?\w*(?:Exception|Error|Timeout): (?P<words>.+)$")
_ERROR = re.compile(r"^\S+ (?:error|critical) (?P<words>.+)$")


def find_report(log: str) -> str | None:
    """Find the path of the report in the log of ``conclude``; None when none was written."""
    found = [match["path"] for line in log.splitlines() if (match := _REPORT.search(line))]
    return found[-1] if found else None


def find_reason(log: str) -> str | None:
    """Find why a task failed: what its exception says, else its last error; None when it does not say."""
    for pattern in (_REASON, _ERROR):
        found = [match["words"] for line in log.splitlines() if (match := pattern.match(line))]
        if found:
            return found[-1]
    return None


def describe_failures(client: AirflowClient, run: DagRun, instances: Sequence[TaskInstance]) -> Iterator[str]:
    """Say of each failed task why, that of the whole campaign last."""
    failed = [task for task in instances if task.state is TaskState.FAILED]
    for number, task in enumerate(sorted(failed, key=lambda task: task.task_id == CONCLUDE)):
        reason = task.note
        if not reason and (number < MOST_LOGS or task.task_id == CONCLUDE):
            reason = find_reason(_read_log(client, run, task))
        yield f"{task.task_id} failed: {reason or 'see its log'}"


def find_report_of_run(client: AirflowClient, run: DagRun, instances: Sequence[TaskInstance]) -> str | None:
    """Return where the report of a run is, on the machine of the worker that wrote it; None without one."""
    task = next((task for task in instances if task.task_id == CONCLUDE), None)
    return None if task is None else find_report(_read_log(client, run, task))


def _read_log(client: AirflowClient, run: DagRun, task: TaskInstance) -> str:
    """Read the log of the last try; one that cannot be had is empty: the run has ended all the same."""
    try:
        return client.task_log(run.dag_id, run.run_id, task.task_id, try_number=max(1, task.try_number))
    except EscalatorError:
        return ""
