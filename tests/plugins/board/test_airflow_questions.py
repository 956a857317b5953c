"""Required actions in a real database of Airflow's: found, answered as Airflow's own page does, and once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.plugins.web.conftest import DAGS
from tests.plugins.web.test_start_runs import RUN, database, starter, wanted

from escalator.model.approval import GoOnWord

pytestmark = pytest.mark.airflow
__all__ = ["database", "starter"]
TASK = "general-001.release"


@pytest.fixture
def asked(starter: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run that goes on, whose first node asks whether the campaign does; everybody may answer."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from escalator_airflow.board import airflow_questions

    gate = SimpleNamespace(is_authorized_dag=lambda **_: True)
    monkeypatch.setattr(airflow_questions, "get_auth_manager", lambda: gate)
    starter.start([wanted(DAGS[0])], RUN, "ann")
    with create_session() as session:
        task = session.scalar(
            select(TaskInstance).where(TaskInstance.run_id == RUN, TaskInstance.task_id == TASK)
        )
        assert task is not None
        task.state = "awaiting_input"
        task.next_method, task.next_kwargs = "hear_approval", {}
        options = [str(word) for word in GoOnWord]
        session.add(HITLDetail(ti_id=task.id, subject="does it go on?", options=options, params={}))
    return SimpleNamespace(questions=airflow_questions.AirflowQuestions(), gate=gate)


def make_person() -> Any:
    from escalator_airflow.board.means import Person

    return Person(name="ann", user=SimpleNamespace(get_id=lambda: "7", get_name=lambda: "ann"))


def read_task() -> tuple[str, Any]:
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        task = session.scalar(
            select(TaskInstance).where(TaskInstance.run_id == RUN, TaskInstance.task_id == TASK)
        )
        assert task is not None
        return str(task.state), session.get_one(HITLDetail, task.id).chosen_options


def test_a_question_is_found_and_answered_once(asked: Any) -> None:
    (question,) = asked.questions.find(DAGS[0], RUN)
    assert (question.group, question.options) == ("general-001", tuple(map(str, GoOnWord)))
    assert asked.questions.answer(question, str(GoOnWord.GO_ON), make_person())
    assert read_task() == ("scheduled", [str(GoOnWord.GO_ON)])
    assert not asked.questions.answer(question, str(GoOnWord.STOP), make_person())
    assert read_task() == ("scheduled", [str(GoOnWord.GO_ON)])
    assert asked.questions.find(DAGS[0], RUN) == ()


def test_who_may_not_answer_changes_nothing(asked: Any) -> None:
    from escalator_airflow.board.answers import RefusedError

    asked.gate.is_authorized_dag = lambda **_: False
    (question,) = asked.questions.find(DAGS[0], RUN)
    with pytest.raises(RefusedError, match="may not answer"):
        asked.questions.answer(question, str(GoOnWord.GO_ON), make_person())
    assert read_task() == ("awaiting_input", None)


def test_a_run_that_goes_on_has_not_ended_and_one_that_is_not_there_has(asked: Any) -> None:
    assert not asked.questions.has_ended(DAGS[0], RUN)
    assert asked.questions.has_ended(DAGS[0], "no such run")
