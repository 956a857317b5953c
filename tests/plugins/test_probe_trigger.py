from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from escalator.model.errors import EscalatorError, InvalidRequestError, TransientError

pytestmark = pytest.mark.airflow
TASKS = ["node-01.release", "node-02.release"]


class Watch:
    """Stands in for the watch: gives its answers in turn, the last one stays."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.answers = list(answers)
        self.opened: list[tuple[str, str]] = []
        self.looks = 0
        self.closed = 0
        self.looked_at = threading.Event()

    def open(self, dag_id: str, run_id: str) -> Watch:
        self.opened.append((dag_id, run_id))
        return self

    def look(self) -> bool:
        self.looks += 1
        self.looked_at.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def module(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    assert airflow_home
    from escalator_airflow.triggers import probing

    monkeypatch.setattr(probing, "LOOK_SECONDS", 0.01)
    return probing


@pytest.fixture
def seat(module: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Watch]:
    def take(*answers: bool | Exception) -> Watch:
        made = Watch(*answers)
        monkeypatch.setattr(module, "_open_watch", made.open)
        return made

    return take


def trigger(module: Any) -> Any:
    made = module.ProbeTrigger(tasks=TASKS)
    made.task_instance = SimpleNamespace(dag_id="dag", run_id="run", task_id="probe")
    return made


def fire(one: Any) -> Any:
    async def first() -> Any:
        return [event async for event in one.run()]

    (event,) = asyncio.run(asyncio.wait_for(first(), 10))
    return event.payload


def test_it_comes_back_from_what_it_serializes_to(module: Any) -> None:
    path, fields = module.ProbeTrigger(tasks=tuple(TASKS)).serialize()
    assert path == "escalator_airflow.triggers.probing.ProbeTrigger"
    assert fields == {"tasks": TASKS}
    assert module.ProbeTrigger(**fields).serialize() == (path, fields)


def test_it_looks_until_every_node_has_ended_and_ends_the_probes(module: Any, seat: Any) -> None:
    watch = seat(False, False, True)
    assert fire(trigger(module)) == {"message": ""}
    assert (watch.opened, watch.looks, watch.closed) == ([("dag", "run")], 3, 1)


@pytest.mark.parametrize("fault", [TransientError("the ledger is away"), RuntimeError("odd")])
def test_what_goes_wrong_ends_nothing_but_the_watch(module: Any, seat: Any, fault: Exception) -> None:
    watch = seat(False, fault, fault, True)
    fire(trigger(module))
    assert (len(watch.opened), watch.looks, watch.closed) == (3, 4, 3)


def test_a_run_without_a_campaign_is_not_watched(
    module: Any, seat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat(True)

    def refuse(*_: object) -> None:
        raise InvalidRequestError("no campaign")

    monkeypatch.setattr(module, "_open_watch", refuse)
    assert "no campaign" in fire(trigger(module))["message"]


@pytest.mark.parametrize(
    ("states", "ends"),
    [
        ({TASKS[0]: "success", TASKS[1]: "skipped"}, True),
        ({TASKS[0]: "success", TASKS[1]: None}, False),
        ({TASKS[0]: "success"}, False),
        ({TASKS[0]: "success", TASKS[1]: "running"}, False),
        ({}, False),
    ],
)
def test_nodes_that_never_go_out_are_at_their_end_when_airflow_says_so(
    module: Any, monkeypatch: pytest.MonkeyPatch, states: dict[str, str | None], *, ends: bool
) -> None:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    asked: list[Any] = []

    def get_task_states(**what: Any) -> dict[str, Any]:
        asked.append(what)
        return {"run": states}

    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", staticmethod(get_task_states))
    assert module._have_ended("dag", "run", TASKS) is ends
    assert asked == [{"dag_id": "dag", "run_ids": ["run"], "task_ids": TASKS}]


def test_airflow_is_asked_now_and_then(module: Any, seat: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = seat(False)
    monkeypatch.setattr(module, "ASK_SECONDS", 0.05)
    answers = [False, True]
    monkeypatch.setattr(module, "_have_ended", lambda *_: answers.pop(0))
    fire(trigger(module))
    assert watch.closed == 1
    assert watch.looks > 2


def test_a_run_that_is_marked_ends_the_probes(module: Any, seat: Any) -> None:
    watch = seat(False)

    async def cancelled() -> None:
        async def follow() -> None:
            async for _ in trigger(module).run():
                pass

        task = asyncio.create_task(follow())
        await asyncio.to_thread(watch.looked_at.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(cancelled(), 10))
    assert watch.closed == 1


def test_probes_that_do_not_end_well_fail_nothing(
    module: Any, seat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = seat(True)

    def fail() -> None:
        raise EscalatorError("stuck")

    monkeypatch.setattr(watch, "close", fail)
    assert fire(trigger(module)) == {"message": ""}


def test_the_operator_starts_in_the_triggerer_and_never_fails(airflow_home: Path) -> None:
    assert airflow_home
    from importlib import import_module

    from airflow.sdk.exceptions import TaskDeferred

    from escalator_airflow.operators.probing import ProbeOperator

    operator = ProbeOperator(task_id="probe", tasks=TASKS)
    arguments = operator.start_trigger_args
    assert operator.start_from_trigger is True
    path, name = arguments.trigger_cls.rsplit(".", 1)
    made = getattr(import_module(path), name)(**arguments.trigger_kwargs)
    assert made.tasks == TASKS
    assert arguments.timeout is None
    for event in (None, {"message": ""}, {"message": "nothing is probed"}, "odd"):
        getattr(operator, arguments.next_method)({}, event)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({})
    assert deferred.value.trigger.tasks == TASKS


def test_without_a_task_nothing_is_probed_and_no_run_ends(module: Any) -> None:
    assert "without its task" in fire(module.ProbeTrigger(tasks=TASKS))["message"]
