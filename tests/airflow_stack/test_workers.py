import os
import re
import subprocess
import sys

import pytest

from escalator.airflow_client.records import TaskInstance, TaskState
from escalator.airflow_stack import workers
from escalator.airflow_stack.workers import find_worker, read_title


def task(**changes: object) -> TaskInstance:
    facts: dict[str, object] = {
        "id": "0199-id",
        "task_id": "node-01.migrate",
        "map_index": -1,
        "state": TaskState.RUNNING,
        "try_number": 1,
        "max_tries": 1,
        "started_at": None,
        "ended_at": None,
        "note": None,
        "pid": os.getpid(),
        "hostname": "here",
    }
    return TaskInstance(**(facts | changes))  # type: ignore[arg-type]


def name_processes(monkeypatch: pytest.MonkeyPatch, *, own: str, parent: str) -> None:
    titles = {os.getpid(): own, os.getppid(): parent}
    monkeypatch.setattr(workers, "read_title", lambda pid: titles.get(pid, ""))


def test_the_parent_of_the_tasks_process_is_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    name_processes(
        monkeypatch, own="airflow worker -- 0199-id", parent="airflow worker -- LocalExecutor: 0199-id"
    )
    assert find_worker(task()) == os.getppid()


@pytest.mark.parametrize(
    ("own", "parent"),
    [
        ("airflow worker -- 0199-other", "airflow worker -- LocalExecutor: 0199-other"),
        ("airflow worker -- 0199-id", "bash"),
        ("", ""),
    ],
)
def test_a_process_with_another_title_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, own: str, parent: str
) -> None:
    name_processes(monkeypatch, own=own, parent=parent)
    assert find_worker(task()) is None


@pytest.mark.parametrize("changes", [{"state": TaskState.QUEUED}, {"state": None}, {"pid": None}])
def test_a_task_that_does_not_run_has_no_worker(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    name_processes(
        monkeypatch, own="airflow worker -- 0199-id", parent="airflow worker -- LocalExecutor: 0199-id"
    )
    assert find_worker(task(**changes)) is None


def test_a_title_is_read_and_a_missing_process_has_none() -> None:
    assert re.search("python|pytest", read_title(os.getpid()))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert read_title(ended.pid) == ""
