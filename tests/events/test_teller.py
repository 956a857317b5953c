from __future__ import annotations

import pytest
from tests.builders import NOW, make_plan
from tests.events.hearing import Heard

from escalator.events.event import Action, Event
from escalator.events.teller import NOBODY, Teller


def test_one_who_cannot_hear_keeps_it_from_nobody_and_is_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def deaf(_event: Event) -> None:
        raise RuntimeError("deaf, says this test")

    heard = Heard()
    teller = Teller.of_plan(make_plan("node-01"), [deaf, heard])
    for _ in range(2):
        teller.tell(Action.LEASE, node="node-01")
    assert len(heard) == 2
    assert [r.message for r in caplog.records if "deaf, says this test" in r.message] == [
        "an event was not told to all who hear it: RuntimeError('deaf, says this test')"
    ]


def test_event_is_of_the_plan_and_of_the_moment() -> None:
    heard = Heard()
    plan = make_plan("node-01")
    Teller.of_plan(plan, [heard]).tell(Action.LEASE, at=NOW, node="node-01", result="taken")
    assert heard.lines("campaign", "run_id", "cloud", "node", "result") == [
        (plan.campaign, plan.run_id, plan.request.cloud, "node-01", "taken")
    ]
    assert heard[0].at == NOW


def test_nobody_hears_nothing() -> None:
    NOBODY.tell(Action.LEASE, node="node-01")
