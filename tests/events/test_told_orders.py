from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.builders import NOW
from tests.events.hearing import Heard, open_told_run

from escalator.model.campaign import NodeState
from escalator.model.order import Verb
from escalator.orders.judging import Asked, judge_order


def test_order_that_takes_effect_is_told_once_with_who_gave_it(tmp_path: Path) -> None:
    heard = Heard()
    run = open_told_run(tmp_path, heard)
    run.set_progress("node-01", NodeState.MIGRATING, now=NOW)
    heard.clear()
    asked = Asked(verb=Verb.HOLD, host="node-01", by="anna", reason="a disk is to be changed")
    order = run.orders().insert(asked, judge=judge_order, now=NOW).order
    assert (order.effective_at, heard) == (None, [])  # who takes the order tells that
    for _ in range(2):
        run.orders().take_effect(NOW + timedelta(minutes=1), host="node-01", verbs=(Verb.HOLD,))
    assert heard.lines("action", "node", "result", "actor", "message") == [
        ("order", "node-01", "in effect", "anna", "hold: a disk is to be changed")
    ]
