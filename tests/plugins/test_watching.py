from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from escalator.cloud_manager.shared_look import Seen, WatchCost
from escalator.model.campaign import NodeProgress, NodeState
from escalator.model.cloud import ComputeService, ServiceState, ServiceStatus
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.errors import TransientError
from escalator.model.verdict import Code

pytestmark = pytest.mark.airflow
ASKING = frozenset({"node-01", "node-02"})


@dataclass
class Campaign:
    """A campaign whose cloud and ledger a test changes."""

    reason: str | None = None
    state: NodeState = NodeState.WAITING
    cost: WatchCost = field(default_factory=WatchCost)
    now: float = 100.0
    within: list[float] = field(default_factory=list)
    noted: list[dict[str, AdmissionDecision]] = field(default_factory=list)
    others: tuple[NodeProgress, ...] = ()
    ordered: tuple[str, ...] = ()
    shared: Any = None

    @property
    def cloud(self) -> Campaign:
        return self

    @property
    def run(self) -> Campaign:
        return self

    @property
    def inventory(self) -> SimpleNamespace:
        return SimpleNamespace(cloud_conn_id="cloud_conn")

    def clock(self) -> str:
        return "now"

    @property
    def watch_cost(self) -> WatchCost:
        return self.cost

    def watch_services(self, within: float) -> Seen[tuple[ComputeService, ...]]:
        self.within.append(within)
        status = ServiceStatus.DISABLED if self.reason else ServiceStatus.ENABLED
        service = ComputeService(
            id="1",
            host="node-01",
            zone="z",
            state=ServiceState.UP,
            status=status,
            disabled_reason=self.reason,
        )
        return Seen((service,), begun=self.now - 1.0)

    def nodes(self) -> tuple[NodeProgress, ...]:
        return (NodeProgress(host="node-01", state=self.state), *self.others)

    def orders(self) -> SimpleNamespace:
        return SimpleNamespace(read=lambda: self.ordered)

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

    def decide_now(
        _campaign: object, *, asking: frozenset[str], watched_within: float
    ) -> tuple[None, dict[str, AdmissionDecision]]:
        full.append((asking, watched_within))
        return None, decisions

    monkeypatch.setattr(watching, "open_campaign", lambda _dag_id, _run_id, **_: campaign)
    monkeypatch.setattr(watching, "follow_shared_cloud", lambda _conn_id, own: campaign.shared or own)
    monkeypatch.setattr(watching, "replace", lambda _campaign, *, cloud: cloud)
    monkeypatch.setattr(watching, "decide_now", decide_now)
    monkeypatch.setattr(watching, "start_refresh", lambda *_: None)
    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=lambda: campaign.now))
    return watching.Watcher("dag", "run"), campaign, full


def test_a_cheap_look_is_enough_while_nothing_changes(looks: tuple[Any, Campaign, list[Any]]) -> None:
    watcher, campaign, full = looks
    answers = [watcher.look(ASKING) for _ in range(5)]
    assert (campaign.within, full) == ([2.0] * 5, [(ASKING, 0.0)])
    assert all(answer == answers[0] for answer in answers)
    assert [list(waiting) for waiting in campaign.noted] == [["node-01"]]


@pytest.mark.parametrize(
    ("change", "within"),
    [({"reason": "escalator:c:r:ab"}, 1.0), ({"state": NodeState.FAILED}, 0.0)],
    ids=["cloud", "ledger"],
)
def test_a_change_is_looked_at_in_full(
    looks: tuple[Any, Campaign, list[Any]], change: dict[str, Any], within: float
) -> None:
    """Of the cloud by a look that is not older than the list that showed it: another campaign's will do."""
    watcher, campaign, full = looks
    watcher.look(ASKING)
    for name, value in change.items():
        setattr(campaign, name, value)
    watcher.look(ASKING)
    watcher.look(ASKING)
    assert [age for _, age in full] == [0.0, within]


def test_an_order_is_heeded_with_the_next_look_and_costs_the_cloud_nothing(
    looks: tuple[Any, Campaign, list[Any]],
) -> None:
    """It is decided anew by the cloud as it is known: no look is younger for it."""
    watcher, campaign, full = looks
    watcher.look(ASKING)
    campaign.ordered = ("pause",)
    watcher.look(ASKING)
    watcher.look(ASKING)
    assert full == [(ASKING, 0.0), (ASKING, 15.0)]


def test_a_node_that_was_let_go_and_told_to_wait_at_the_door_is_looked_at_anew_once(
    looks: tuple[Any, Campaign, list[Any]],
) -> None:
    """Else the others wait behind it, and it comes and goes, for as long as the look is kept."""
    watcher, campaign, full = looks
    campaign.others = (NodeProgress(host="node-02", code=Code.PARALLEL_LIMIT, message="one is out"),)
    watcher.look(ASKING)
    campaign.others = (NodeProgress(host="node-02", code=Code.CAPACITY, message="a server has no place"),)
    for _ in range(3):
        watcher.look(ASKING)
    assert [age for _, age in full] == [0.0, 0.0]


def test_it_looks_through_the_connection_that_the_others_share_now(
    looks: tuple[Any, Campaign, list[Any]],
) -> None:
    """Who comes an hour later, or failed, opens another one: else each campaign had its own at last."""
    watcher, campaign, _ = looks
    watcher.look(ASKING)
    campaign.shared = Campaign()
    watcher.look(ASKING)
    assert (len(campaign.within), len(campaign.shared.within)) == (1, 1)


def test_how_far_a_node_got_that_is_out_is_no_change_for_those_that_wait(
    looks: tuple[Any, Campaign, list[Any]],
) -> None:
    watcher, campaign, full = looks
    campaign.state = NodeState.ADMITTED
    watcher.look(ASKING)
    for state in (NodeState.CHECKED, NodeState.MIGRATING, NodeState.EMPTY, NodeState.VERIFIED):
        campaign.state = state
        watcher.look(ASKING)
    assert len(full) == 1
    campaign.state = NodeState.RELEASED
    watcher.look(ASKING)
    assert len(full) == 2


def test_another_node_at_the_door_is_decided_about_without_another_look(
    looks: tuple[Any, Campaign, list[Any]],
) -> None:
    watcher, _, full = looks
    watcher.look(ASKING)
    watcher.look(ASKING | {"node-03"})
    assert full == [(ASKING, 0.0), (ASKING | {"node-03"}, 15.0)]


@pytest.mark.parametrize(
    ("cost", "services", "whole"),
    [
        (WatchCost(services_seconds=0.01, look_seconds=0.1), 2.0, 15.0),
        (WatchCost(services_seconds=0.5, look_seconds=3.0), 15.0, 90.0),
        (WatchCost(services_seconds=0.5, look_seconds=0.6, large=True), 15.0, 45.0),
        (WatchCost(services_seconds=30.0, look_seconds=60.0, large=True), 20.0, 120.0),
    ],
)
def test_the_dearer_a_look_the_longer_the_cloud_is_left_alone(
    looks: tuple[Any, Campaign, list[Any]], cost: WatchCost, services: float, whole: float
) -> None:
    watcher, campaign, full = looks
    campaign.cost = cost
    watcher.look(ASKING)
    campaign.now += whole
    watcher.look(ASKING)
    assert (campaign.within, len(full)) == ([services] * 2, 1)
    campaign.now += 1
    watcher.look(ASKING)
    assert len(full) == 2


def test_after_an_error_the_cloud_is_shared_no_longer(
    looks: tuple[Any, Campaign, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from escalator_airflow import watching

    watcher, campaign, _ = looks
    dropped: list[object] = []
    monkeypatch.setattr(watching, "close_shared_cloud", lambda *what: dropped.append(what))

    def fail(_within: float) -> None:
        raise TransientError("HTTP 503")

    monkeypatch.setattr(campaign, "watch_services", fail)
    with pytest.raises(TransientError):
        watcher.look(ASKING)
    assert dropped == [("cloud_conn", campaign)]
