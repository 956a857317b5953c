from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from escalator.model.campaign import NodeProgress, NodeState
from escalator.model.cloud import ComputeService, ServiceState, ServiceStatus
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.verdict import Code

pytestmark = pytest.mark.airflow
ASKING = frozenset({"node-01", "node-02"})


@dataclass
class Campaign:
    """A campaign whose cloud and ledger a test changes."""

    reason: str | None = None
    state: NodeState = NodeState.WAITING
    cheap: int = 0
    noted: list[dict[str, AdmissionDecision]] = field(default_factory=list)

    @property
    def cloud(self) -> Campaign:
        return self

    @property
    def run(self) -> Campaign:
        return self

    def clock(self) -> str:
        return "now"

    def fetch_services(self) -> tuple[ComputeService, ...]:
        self.cheap += 1
        status = ServiceStatus.DISABLED if self.reason else ServiceStatus.ENABLED
        return (
            ComputeService(
                id="1",
                host="node-01",
                zone="z",
                state=ServiceState.UP,
                status=status,
                disabled_reason=self.reason,
            ),
        )

    def nodes(self) -> tuple[NodeProgress, ...]:
        return (NodeProgress(host="node-01", state=self.state),)

    def note_waiting(self, waiting: dict[str, AdmissionDecision], _now: object) -> None:
        self.noted.append(waiting)


@pytest.fixture
def looks(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Campaign, list[Any]]:
    """A watcher, its campaign, and the full looks that it took."""
    assert airflow_home
    from escalator_airflow import watching

    campaign, full = Campaign(), []
    decisions = {
        "node-01": AdmissionDecision(
            host="node-01", admission=Admission.WAIT, code=Code.CAPACITY, message="full"
        ),
        "node-02": AdmissionDecision(
            host="node-02", admission=Admission.ADMIT, code=Code.ADMITTED, message="go"
        ),
    }

    def decide_now(_campaign: object, *, asking: frozenset[str]) -> tuple[None, dict[str, AdmissionDecision]]:
        full.append(asking)
        return None, decisions

    monkeypatch.setattr(watching, "open_campaign", lambda _dag_id, _run_id: campaign)
    monkeypatch.setattr(watching, "decide_now", decide_now)
    return watching.Watcher("dag", "run"), campaign, full


def test_a_cheap_look_is_enough_while_nothing_changes(looks: tuple[Any, Campaign, list[Any]]) -> None:
    watcher, campaign, full = looks
    answers = [watcher.look(ASKING) for _ in range(5)]
    assert (campaign.cheap, full) == (5, [ASKING])
    assert all(answer == answers[0] for answer in answers)
    assert [list(waiting) for waiting in campaign.noted] == [["node-01"]]


@pytest.mark.parametrize(
    "change", [{"reason": "escalator:c:r:ab"}, {"state": NodeState.FAILED}], ids=["cloud", "ledger"]
)
def test_a_change_is_looked_at_in_full(
    looks: tuple[Any, Campaign, list[Any]], change: dict[str, Any]
) -> None:
    watcher, campaign, full = looks
    watcher.look(ASKING)
    for name, value in change.items():
        setattr(campaign, name, value)
    watcher.look(ASKING)
    watcher.look(ASKING)
    assert len(full) == 2


def test_another_node_at_the_door_is_a_change(looks: tuple[Any, Campaign, list[Any]]) -> None:
    watcher, _, full = looks
    watcher.look(ASKING)
    watcher.look(ASKING | {"node-03"})
    assert full == [ASKING, ASKING | {"node-03"}]


def test_a_full_look_is_taken_now_and_then_all_the_same(
    looks: tuple[Any, Campaign, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from escalator_airflow import watching

    watcher, _, full = looks
    now = 100.0
    monkeypatch.setattr(watching.time, "monotonic", lambda: now)
    watcher.look(ASKING)
    now += watching.FULL_LOOK_SECONDS
    watcher.look(ASKING)
    assert len(full) == 1
    now += 1
    watcher.look(ASKING)
    assert len(full) == 2
