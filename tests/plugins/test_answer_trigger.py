from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from escalator.model.errors import TransientError

pytestmark = pytest.mark.airflow
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


@pytest.fixture
def module(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    assert airflow_home
    from escalator_airflow.triggers import answers

    monkeypatch.setattr(answers, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(answers, "LONGEST_PAUSE_SECONDS", 0.01)
    return answers


@pytest.fixture
def clock(module: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let a second pass with every look; tell how often it is waited for answers."""

    def begin(waits: int) -> None:
        looks = [0]

        def look(*_: object) -> bool:
            looks[0] += 1
            if looks[0] == 1:
                raise TransientError("the ledger is away")
            return looks[0] <= waits

        monkeypatch.setattr(module, "_open", lambda *_: ("desk", "run"))
        monkeypatch.setattr(module, "_look", look)
        monkeypatch.setattr(module, "SETTLE_SECONDS", 0.0)
        monkeypatch.setattr(module, "utcnow", lambda: NOW + timedelta(seconds=looks[0]))

    return begin


def fire_after(module: Any, limit: float = 10.0, **fields: Any) -> float:
    """Run a trigger until it fires; return how many seconds that took."""
    one = module.AnswerTrigger(**fields)
    one.task_instance = SimpleNamespace(dag_id="dag", run_id="run", task_id="announce")

    async def first() -> Any:
        return [event async for event in one.run()]

    (event,) = asyncio.run(asyncio.wait_for(first(), limit))
    assert event.payload == {"host": None}
    return float((module.utcnow() - NOW).total_seconds())


def test_it_comes_back_from_what_it_serializes_to(module: Any) -> None:
    path, fields = module.AnswerTrigger("node-01", NOW.isoformat()).serialize()
    assert path == "escalator_airflow.triggers.answers.AnswerTrigger"
    assert module.AnswerTrigger(**fields).serialize() == (path, fields)


@pytest.mark.parametrize(("waits", "moment", "seconds"), [(4, None, 5), (4, 3, 5), (4, 9, 9), (0, 9, 9)])
def test_it_fires_when_nothing_is_waited_for_and_the_moment_has_come(
    module: Any, clock: Callable[[int], None], waits: int, moment: int | None, seconds: float
) -> None:
    clock(waits)
    not_before = None if moment is None else (NOW + timedelta(seconds=moment)).isoformat()
    assert fire_after(module, not_before=not_before) == seconds


def test_it_does_not_fire_before_the_scheduler_knows_that_its_task_was_deferred(
    module: Any, clock: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock(0)
    monkeypatch.setattr(module, "SETTLE_SECONDS", 60.0)
    with pytest.raises(TimeoutError):
        fire_after(module, limit=1.5)
