"""Find the processes that run one task, to kill them in fault tests.

Under the LocalExecutor a worker process supervises the task and forks it. Airflow's API tells the task's
process id, and the task puts the id of its task instance (which changes with every try) into its process
title: a process with that id and that title is this try of this task and nothing else. Its parent is the
worker.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from escalator.airflow_client.records import TaskState
from escalator.airflow_stack.errors import StackError
from escalator.airflow_stack.sessions import find_descendants, find_identities, kill_all, read_process_table

if TYPE_CHECKING:
    from escalator.airflow_client import AirflowClient, TaskInstance

WORKER_TITLE = "airflow worker -- LocalExecutor"
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class KilledWorker:
    """What was killed.

    :param worker: process id of the supervising worker.
    :param tree: process ids of the task and what it had started.
    :param try_number: the try that was killed.
    """

    worker: int
    tree: tuple[int, ...]
    try_number: int


def kill_worker(
    client: AirflowClient, *, dag_id: str, run_id: str, task_id: str, timeout_seconds: float
) -> KilledWorker:
    """Wait until a task runs, then kill its worker and all below it with SIGKILL.

    :raises StackError: the task did not run in that time.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        task = client.get_task_instance(dag_id, run_id, task_id)
        worker = find_worker(task)
        if worker is not None:
            break
        if time.monotonic() > deadline:
            raise StackError(f"no process runs {task_id} of {run_id}: it is {task.state or 'not scheduled'}")
        time.sleep(POLL_SECONDS)
    table = read_process_table()
    below = find_descendants(worker, table)
    kill_all(find_identities((worker, *below)))
    return KilledWorker(worker=worker, tree=below, try_number=task.try_number)


def find_worker(task: TaskInstance) -> int | None:
    """Return the process id of the worker that supervises a running task; None when there is none here."""
    if task.state is not TaskState.RUNNING or task.pid is None:
        return None
    if task.id not in read_title(task.pid):
        return None
    process = read_process_table().get(task.pid)
    if process is None or not read_title(process.parent).startswith(WORKER_TITLE):
        return None
    return process.parent


def read_title(pid: int) -> str:
    """Return the command line or the title that a process shows; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
