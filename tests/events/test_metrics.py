from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import NOW
from tests.conftest import ROOT
from tests.events.test_event import ABOUT, FULL

from escalator.events.event import Action, Event
from escalator.events.metrics import METRICS, count_nodes, list_measures
from escalator.model.campaign import NodeProgress, NodeState
from escalator.model.lease import LeaseMark
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


NODES = (
    NodeProgress(host="node-01", state=NodeState.RELEASED),
    NodeProgress(host="node-02", state=NodeState.FAILED, mark=LeaseMark.FAILED),
    NodeProgress(host="node-03", state=NodeState.HELD, mark=LeaseMark.HELD),
    NodeProgress(host="node-04", state=NodeState.HELD),
    NodeProgress(host="node-05"),
)
"""Done, left out twice, given back unchanged, and never gone."""


def count(action: Action, nodes: tuple[NodeProgress, ...] = NODES) -> dict[str, float]:
    """Count nodes with an event; return state -> how many, without zeros."""
    found = list(count_nodes(event(action), lambda: nodes))
    assert {(m.metric.name, m.tags["cloud"], m.tags["campaign"]) for m in found} <= {
        ("escalator.nodes", "lab", "upgrade__lab__x")
    }
    assert [m.tags["state"] for m in found] == [str(state) for state in NodeState] or not found
    return {m.tags["state"]: m.value for m in found if m.value}


@pytest.mark.parametrize("action", [Action.CAMPAIGN_OPENED, Action.NODE_STATE])
def test_nodes_are_counted_by_campaign_and_state(action: Action) -> None:
    assert count(action) == {"waiting": 1, "released": 1, "held": 2, "failed": 1}


def test_only_nodes_that_stay_out_count_when_the_campaign_is_over() -> None:
    assert count(Action.CAMPAIGN_CONCLUDED) == {"held": 1, "failed": 1}
    assert count(Action.CAMPAIGN_CONCLUDED, NODES[:1]) == {}


def test_nodes_are_not_read_for_what_does_not_count_them() -> None:
    def read() -> tuple[NodeProgress, ...]:
        raise AssertionError

    assert list(count_nodes(event(Action.MOVE), read)) == []


def test_every_metric_stands_in_the_documents() -> None:
    page = (ROOT / "docs" / "monitoring" / "README.md").read_text()
    rows = [
        f"| `{m.name}` | {m.kind} | {', '.join(f'`{tag}`' for tag in m.tags)} | {m.meaning} |"
        for m in METRICS
    ]
    assert [row for row in rows if row not in page] == []
