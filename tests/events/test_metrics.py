from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import NOW
from tests.conftest import ROOT
from tests.events.test_event import ABOUT, FULL

from escalator.events.event import Action, Event
from escalator.events.metrics import METRICS, count_nodes, list_measures
from escalator.model.step import Step
from escalator.model.verdict import Code, Subject, SubjectType

GROUP = Subject(type=SubjectType.HA_GROUP, id="sbc")


def event(action: Action, **fields: object) -> Event:
    return replace(Event(about=ABOUT, action=action, at=NOW), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "measured"),
    [
        (
            event(Action.STEP_ENDED, step=Step.VERIFY, result="ok", seconds=12.5, details={"api_calls": 4}),
            [
                ("escalator.step_duration", 12.5, "lab verify ok"),
                ("escalator.api_calls", 4, "lab verify"),
            ],
        ),
        (event(Action.STEP_ENDED, step=Step.ADMIT, result="ok", details={"api_calls": 0}), []),
        (event(Action.STEP_BEGUN, step=Step.ADMIT), []),
        (
            event(Action.DECISION, result="wait", code=Code.CAPACITY),
            [("escalator.decisions", 1, "lab wait capacity")],
        ),
        (
            replace(FULL, result="arrived"),
            [("escalator.moves", 1, "lab live arrived"), ("escalator.move_duration", 17.23456, "lab live")],
        ),
        (FULL, [("escalator.moves", 1, "lab live not arrived")]),
        (
            event(Action.INTERRUPTION, result="measured", seconds=0.2, subject=FULL.subject),
            [("escalator.interruption", 0.2, "lab guest")],
        ),
        (
            event(Action.INTERRUPTION, result="measured", seconds=1.2, subject=GROUP),
            [("escalator.interruption", 1.2, "lab service")],
        ),
        (
            event(Action.INTERRUPTION, result="over the limit", seconds=1.2, subject=GROUP),
            [("escalator.interruptions_over_limit", 1, "lab")],
        ),
        (event(Action.REBOOT, result="ordered"), []),
        (event(Action.REBOOT, result="back", seconds=90.0), [("escalator.reboot_duration", 90.0, "lab")]),
        (
            event(Action.SWITCH, result="verified", details={"method": "octavia"}),
            [("escalator.switches", 1, "lab octavia verified")],
        ),
        (event(Action.STEP_OVERDUE, step=Step.UPGRADE), [("escalator.steps_overdue", 1, "lab upgrade")]),
        (event(Action.QUESTION), [("escalator.questions", 1, "lab")]),
        (
            event(Action.CAMPAIGN_CONCLUDED, result="completed"),
            [("escalator.campaigns", 1, "lab completed")],
        ),
    ],
)
def test_event_adds_to_the_metrics(told: Event, measured: list[tuple[str, float, str]]) -> None:
    found = [(m.metric.name, m.value, " ".join(m.tags.values())) for m in list_measures(told)]
    assert found == measured


def test_nodes_are_counted_by_campaign_and_state() -> None:
    found = list(count_nodes(event(Action.NODE_STATE), {"waiting": 2, "failed": 0}))
    assert [(m.metric.name, m.value, dict(m.tags)) for m in found] == [
        ("escalator.nodes", 2, {"cloud": "lab", "campaign": "upgrade__lab__x", "state": "waiting"}),
        ("escalator.nodes", 0, {"cloud": "lab", "campaign": "upgrade__lab__x", "state": "failed"}),
    ]


def test_every_metric_stands_in_the_documents() -> None:
    page = (ROOT / "docs" / "monitoring" / "README.md").read_text()
    rows = [
        f"| `{m.name}` | {m.kind} | {', '.join(f'`{tag}`' for tag in m.tags)} | {m.meaning} |"
        for m in METRICS
    ]
    assert [row for row in rows if row not in page] == []
