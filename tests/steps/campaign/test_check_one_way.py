"""What the start of a campaign makes of nodes that cannot go back: refusals, and the plan's word of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_mechanism import FakeMechanism
from tests.steps.worlds import BUNDLE, BUNDLE_DOCUMENT, World

from escalator.ledger.records import Document
from escalator.model.campaign import CampaignPlan, OnBlocked
from escalator.model.errors import PlanInfeasibleError
from escalator.model.failed_nodes import OnFailedNode
from escalator.model.verdict import Code
from escalator.model.way_back import WayBack
from escalator.steps.campaign.check_conditions import check

GOES_BACK = replace(BUNDLE, rollback_supported=True)


@pytest.fixture
def make(make_world: MakeWorld) -> Any:
    def made(**asked: Any) -> World:
        world = make_world(**asked)
        world.bundle = GOES_BACK
        world.plan = replace(world.plan, run_id=f"{world.plan.run_id}-check", hosts=())
        return world

    return made


def checked(world: World) -> CampaignPlan:
    return check(world.context(), BUNDLE_DOCUMENT, known_hosts=world.hosts)[0]


@pytest.fixture
def one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let node-02 have nothing to go back to."""
    say = FakeMechanism.way_back

    def way_back(mechanism: FakeMechanism, shell: Any, version: str) -> WayBack:
        return WayBack.one_way("gone") if shell.host == "node-02" else say(mechanism, shell, version)

    monkeypatch.setattr(FakeMechanism, "way_back", way_back)


@pytest.mark.usefixtures("one_way")
def test_a_node_without_a_way_back_does_not_begin_where_failed_nodes_are_to_be_taken_back(make: Any) -> None:
    with pytest.raises(PlanInfeasibleError, match="node-02: one-way: gone"):
        checked(make(on_failed_node=OnFailedNode.ROLLBACK_NODE))
    plan = checked(make(on_failed_node=OnFailedNode.ROLLBACK_NODE, on_blocked=OnBlocked.SKIP))
    assert [node.host for node in plan.left_out] == ["node-02"]
    assert plan.no_return.reasons == {}
    plan = checked(make(on_failed_node=OnFailedNode.QUARANTINE))
    assert list(plan.no_return.reasons) == ["node-02"]


@pytest.mark.parametrize("by_bundle", [True, False])
def test_a_bundle_without_a_way_back_is_refused_where_failed_nodes_are_to_be_taken_back(
    make: Any, *, by_bundle: bool
) -> None:
    wish = OnFailedNode.ROLLBACK_NODE
    world = make(**({} if by_bundle else {"on_failed_node": wish}))
    world.bundle = replace(BUNDLE, on_failed_node=wish if by_bundle else None)
    with pytest.raises(PlanInfeasibleError, match="has no way back") as refused:
        checked(world)
    assert {verdict.code for verdict in refused.value.blockers} == {Code.NO_WAY_BACK}
    assert world.cloud.writes == []
    assert world.recorded.plan() is None


def test_the_plan_keeps_what_the_bundle_says_of_failed_nodes(make: Any) -> None:
    world = make()
    world.bundle = replace(GOES_BACK, on_failed_node=OnFailedNode.ROLLBACK_CAMPAIGN)
    plan = checked(world)
    assert plan.request.on_failed_node is OnFailedNode.ROLLBACK_CAMPAIGN
    assert plan.failures_allowed == 0
    world = make(on_failed_node=OnFailedNode.QUARANTINE)
    world.bundle = replace(GOES_BACK, on_failed_node=OnFailedNode.ROLLBACK_CAMPAIGN)
    assert checked(world).request.on_failed_node is OnFailedNode.QUARANTINE


def test_nodes_that_cannot_go_back_are_in_the_plan_with_the_reason(make: Any) -> None:
    assert not checked(make()).no_return.is_any
    world = make()
    world.bundle = BUNDLE
    plan = checked(world)
    assert plan.no_return.reasons.keys() == set(world.hosts)
    shown = world.recorded.document(Document.PLAN)["no_return"]
    assert [node["host"] for node in shown["nodes"]] == list(plan.hosts)
    assert "does not support a rollback" in shown["nodes"][0]["reason"]
    assert world.recorded.plan() == plan
