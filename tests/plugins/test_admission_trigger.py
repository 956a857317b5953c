from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.errors import EscalatorError, InvalidRequestError, TransientError
from escalator.model.verdict import Code

pytestmark = pytest.mark.airflow


def says(admission: Admission, message: str = "because") -> dict[str, AdmissionDecision]:
    return {
        "node-01": AdmissionDecision(host="node-01", admission=admission, code=Code.ADMITTED, message=message)
    }


class Desk:
    """Stands in for the watcher: gives its answers in turn, the last one stays."""

    def __init__(self, answers: Iterable[dict[str, AdmissionDecision] | EscalatorError]) -> None:
        self.answers = list(answers)
        self.opened = 0
        self.asked: list[frozenset[str]] = []

    def __call__(self, dag_id: str, run_id: str) -> Desk:
        assert (dag_id, run_id) == ("dag", "run")
        self.opened += 1
        return self

    def look(self, asking: frozenset[str]) -> dict[str, AdmissionDecision]:
        self.asked.append(asking)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, EscalatorError):
            raise answer
        return answer


@pytest.fixture
def module(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    assert airflow_home
    from escalator_airflow.triggers import admission

    monkeypatch.setattr(admission, "POLL_SECONDS", 0.01)
    admission._POLLS.clear()
    yield admission
    admission._POLLS.clear()


def seat(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, AdmissionDecision] | EscalatorError) -> Desk:
    from escalator_airflow import watching

    desk = Desk(answers)
    monkeypatch.setattr(watching, "Watcher", desk)
    return desk


def trigger(module: Any, host: str = "node-01", **fields: Any) -> Any:
    made = module.AdmissionTrigger(host=host, **fields)
    made.task_instance = SimpleNamespace(dag_id="dag", run_id="run", task_id="admit")
    return made


def fire(*triggers: Any) -> list[Any]:
    async def first(one: Any) -> Any:
        async for event in one.run():
            return event
        return None

    async def all_of_them() -> list[Any]:
        return await asyncio.wait_for(asyncio.gather(*map(first, triggers)), 10)

    return asyncio.run(all_of_them())


def test_it_comes_back_from_what_it_serializes_to(module: Any) -> None:
    path, fields = module.AdmissionTrigger(host="node-01", pause_seconds=2.5).serialize()
    assert path == "escalator_airflow.triggers.admission.AdmissionTrigger"
    again = module.AdmissionTrigger(**fields)
    assert again.serialize() == (path, fields)
    assert all(isinstance(value, str | float) for value in fields.values())


@pytest.mark.parametrize("admission", [a for a in Admission if a is not Admission.WAIT])
def test_it_fires_when_waiting_has_an_end(
    module: Any, monkeypatch: pytest.MonkeyPatch, admission: Admission
) -> None:
    desk = seat(monkeypatch, says(admission))
    (event,) = fire(trigger(module))
    assert event.payload["host"] == "node-01"
    assert event.payload["message"] == f"{admission}: because"
    assert desk.asked == [frozenset({"node-01"})]


def test_it_waits_and_says_each_reason_once(
    module: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wait = [says(Admission.WAIT, "one")] * 3 + [says(Admission.WAIT, "two")] * 2
    desk = seat(monkeypatch, *wait, says(Admission.ADMIT, "go"))
    made = trigger(module)
    said: list[str] = []
    monkeypatch.setattr(
        type(made), "log", SimpleNamespace(info=lambda text, *words: said.append(text % words))
    )
    with caplog.at_level(logging.INFO):
        fire(made)
    assert said == ["node-01: wait: one", "node-01: wait: two", "node-01: admit: go"]
    assert len(desk.asked) == 6


def test_it_survives_a_cloud_that_is_away_and_opens_it_anew(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = TransientError("HTTP 503")
    desk = seat(monkeypatch, away, away, says(Admission.ADMIT))
    (event,) = fire(trigger(module))
    assert "admit" in event.payload["message"]
    assert desk.opened == 3


def test_what_waiting_cannot_mend_ends_it(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seat(monkeypatch, InvalidRequestError("no campaign"))
    with pytest.raises(InvalidRequestError, match="no campaign"):
        fire(trigger(module))


def test_many_nodes_share_one_look(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 60)
    desk = seat(monkeypatch, says(Admission.ADMIT))
    events = fire(*(trigger(module, f"node-{n:02d}") for n in range(1, 9)))
    assert len(events) == 8
    assert (desk.opened, len(desk.asked)) == (1, 1)
    assert len(desk.asked[0]) == 8
    assert "not part of this campaign" in events[1].payload["message"]


def test_however_long_a_look_takes_all_that_wait_for_it_keep_their_turn(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look of 40 s and a hundred nodes: all of them still count at the second look, and at the third."""
    now = [0.0]
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    hosts = [f"node-{n:03d}" for n in range(1, 101)]
    wait = {h: replace(says(Admission.WAIT)["node-01"], host=h) for h in hosts}
    go = {h: replace(d, admission=Admission.ADMIT) for h, d in wait.items()}
    desk = seat(monkeypatch, wait, wait, wait, wait, go)
    look = desk.look

    def slow(asking: frozenset[str]) -> dict[str, AdmissionDecision]:
        now[0] += 40.0
        return look(asking)

    monkeypatch.setattr(desk, "look", slow)
    assert len(fire(*(trigger(module, host) for host in hosts))) == 100
    assert all(asked == set(hosts) for asked in desk.asked[1:4])


def test_who_has_left_keeps_its_turn_until_its_task_can_have_taken_the_lease(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    poll = module._find_poll(("dag", "run"))
    with poll.at_the_door("node-01"), poll.at_the_door("node-02"):
        assert poll.asking() == {"node-01", "node-02"}
    poll.waiting["node-02"] += 1
    now[0] += 29
    assert poll.asking() == {"node-01", "node-02"}
    now[0] += 2
    assert poll.asking() == {"node-02"}
    poll.left, poll.look_seconds = {"node-01": now[0]}, 40.0
    now[0] += 119
    assert poll.asking() == {"node-01", "node-02"}


def test_a_run_for_which_nobody_waits_is_forgotten(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    first = module._find_poll(("dag", "first"))
    with first.at_the_door("node-01"):
        first.watcher = object()
        assert module._find_poll(("dag", "first")) is first
    assert first.watcher is None
    now[0] += 31
    module._find_poll(("dag", "second"))
    assert list(module._POLLS) == [("dag", "second")]


def test_it_pauses_before_its_first_look_after_a_lost_race(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat(monkeypatch, says(Admission.ADMIT))
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    assert len(fire(trigger(module, pause_seconds=3.5))) == 1
    assert slept[0] == 3.5


def test_without_a_task_it_does_not_start(module: Any) -> None:
    with pytest.raises(RuntimeError, match="without its task"):
        fire(module.AdmissionTrigger(host="node-01"))
