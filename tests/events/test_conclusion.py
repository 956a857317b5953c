from __future__ import annotations

from typing import Any

import pytest
from tests.builders import make_plan
from tests.events.hearing import Heard

from escalator.events.conclusion import tell_conclusion, tell_refused
from escalator.events.metrics import count_nodes, list_measures
from escalator.events.notes import find_occasion, make_note
from escalator.events.teller import Teller
from escalator.model.occasion import Occasion

MOVE = {"id": "4d3c", "name": "web-1", "ended": "2026-11-22T08:01:00Z", "method": "live"}
GAP = {
    "group": "sbc",
    "host": "node-01",
    "address": "10.0.0.1",
    "method": "icmp",
    "started": "2026-11-22T08:02:00Z",
    "seconds": 1.5,
    "measured": True,
    "cause": "no answer",
    "too_long": True,
}
REPORT: dict[str, Any] = {
    "outcome": "incomplete",
    "domain": "cell1/az1/general",
    "bundle": {"name": "nova-34"},
    "nodes": [
        {
            "host": "node-01",
            "moves": [{**MOVE, "interruption_ms": 281.0}, {**MOVE, "id": "5e", "interruption_ms": None}],
        }
    ],
    "service_interruptions": {"gaps": [GAP, {**GAP, "measured": False}]},
    "findings": [
        {"code": "interruption_year", "subject": {"id": "sbc"}, "message": "400 s within a year"},
        {"code": "agent_down", "subject": {"id": "node-01"}, "message": "down"},
    ],
    "totals": {
        "states": {"released": 2, "failed": 1},
        "moves": 4,
        "api_calls": 30,
        "upgrade_duration_seconds": 700.0,
    },
}


def test_report_is_told_with_every_interruption_that_was_measured() -> None:
    heard = Heard()
    tell_conclusion(Teller.of_plan(make_plan("node-01"), [heard]), REPORT)
    assert heard.lines("action", "object_id", "result", "code", "seconds") == [
        ("interruption", "4d3c", "measured", None, 0.281),
        ("interruption", "sbc", "measured", "interruption_switch", 1.5),
        ("interruption", "sbc", "over the limit", "interruption_year", None),
        ("campaign_concluded", heard[-1].about.campaign, "incomplete", None, 700.0),
    ]
    assert heard[-1].message == "nova-34 on cell1/az1/general: 1 failed, 2 released"
    assert heard[-1].details == {"moves": 4, "api_calls": 30, "failed": 1, "released": 2}


@pytest.mark.parametrize(("by_window", "occasion"), [(True, Occasion.NEEDS_PERSON), (False, None)])
def test_refusal_is_told_and_people_hear_of_one_that_a_window_began(
    *, by_window: bool, occasion: Occasion | None
) -> None:
    heard = Heard()
    tell_refused(Teller.of_plan(make_plan("node-01"), [heard]), "no room -> add a node", by_window=by_window)
    (event,) = heard
    assert heard.lines("action", "node", "result", "message") == [
        ("campaign_concluded", None, "refused", "no room -> add a node")
    ]
    assert find_occasion(event) is occasion
    assert make_note(event, Occasion.NEEDS_PERSON).title == f"[lab] refused: {event.about.campaign}"
    counted = [(m.metric.name, m.tags.get("result")) for m in list_measures(event)]
    assert counted == [("escalator.campaigns", "refused")]
    assert list(count_nodes(event, lambda: ())) == []
