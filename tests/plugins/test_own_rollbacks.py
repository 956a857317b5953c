from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.plugins.conftest import context

from escalator.model.failed_nodes import OnFailedNode, OwnRollback

pytestmark = pytest.mark.airflow
ROLLBACK = OwnRollback(
    policy=OnFailedNode.ROLLBACK_NODE, campaign="rollback__lab", run_id="rollback-node-1__m", hosts=("a",)
)
CONF = {"run_id": "m", "hosts": ["a"]}


class Supervisor:
    """Takes the place of the task's supervisor: it notes what it is asked, and answers."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def send(self, msg: Any) -> Any:
        self.asked.append(msg)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def start(monkeypatch: pytest.MonkeyPatch, answer: Any = None, *, paused: bool = False) -> tuple[str, Any]:
    from airflow.sdk.execution_time import task_runner

    from escalator_airflow.own_rollbacks import start_run

    supervisor = Supervisor(answer)
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    given = context(get_dag=lambda _dag_id: SimpleNamespace(is_paused=paused))
    return start_run(given, ROLLBACK, CONF), supervisor.asked


def error(kind: str) -> Any:
    from airflow.sdk.exceptions import ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse

    return ErrorResponse(error=ErrorType[kind])


@pytest.fixture(autouse=True)
def home(airflow_home: object) -> None:
    assert airflow_home


def test_the_supervisor_is_asked_for_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    said, (message,) = start(monkeypatch)
    assert said == ""
    assert (message.dag_id, message.run_id, message.conf) == ("rollback__lab", "rollback-node-1__m", CONF)
    assert message.logical_date is None
    assert not message.reset_dag_run
    assert "rollback-node" in message.note


def test_a_run_that_is_there_already_counts_as_started(monkeypatch: pytest.MonkeyPatch) -> None:
    assert start(monkeypatch, error("DAGRUN_ALREADY_EXISTS"))[0] == ""


def test_a_dag_that_is_paused_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    said, asked = start(monkeypatch, paused=True)
    assert "is paused -> unpause it" in said
    assert asked == []


def test_what_airflow_refuses_or_does_not_answer_has_a_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow.sdk.exceptions import AirflowRuntimeError

    for answer in (AirflowRuntimeError(error("API_SERVER_ERROR")), error("GENERIC_ERROR"), OSError("broken")):
        said, _ = start(monkeypatch, answer)
        assert said
        assert "clear conclude" in said.partition(" -> ")[2]
