"""Members of HA groups stay on their node while its agent is upgraded; everybody else leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.worlds import NEW, NODE, World

from escalator.model.campaign import NodeState, Step
from escalator.model.decisions import Admission
from escalator.model.step import Outcome
from escalator.model.verdict import Code


@pytest.fixture
def paired(make_world: MakeWorld) -> World:
    """A world with a pair of members on two nodes, and a server of its own on the first."""
    world = make_world()
    world.pairs = (("sbc-a", "sbc-b"),)
    world.boot("sbc-a")
    world.boot("sbc-b", "node-02")
    world.boot("web")
    return world


def test_a_member_stays_and_the_others_leave(paired: World) -> None:
    paired.run_up_to(Step.PRECHECK)
    assert paired.drain_plan().staying == ("sbc-a",)
    assert "1 stay" in paired.progress().message
    result = paired.run(Step.MIGRATE)
    assert result.message == "1 server(s) moved, only 1 member(s) of HA groups stay"
    assert paired.cloud.requested("sbc-a") == []
    assert paired.cloud.guests["web"].host != NODE


def test_its_node_is_upgraded_under_it_and_given_back(paired: World) -> None:
    paired.run_up_to(Step.RELEASE)
    assert paired.progress().state is NodeState.RELEASED
    assert paired.nodes[NODE].running == NEW
    assert paired.cloud.guests["sbc-a"].host == NODE
    assert paired.enabled()


def test_a_drain_that_is_planned_anew_lets_it_stay(paired: World) -> None:
    paired.run_up_to(Step.MIGRATE)
    assert paired.run(Step.MIGRATE).outcome is Outcome.OK
    assert paired.cloud.requested("sbc-a") == []


def test_the_node_of_the_other_member_waits_meanwhile(make_world: MakeWorld) -> None:
    world = make_world(max_parallel=2)
    world.pairs = (("sbc-a", "sbc-b"),)
    world.boot("sbc-a")
    world.boot("sbc-b", "node-02")
    world.cloud.person_disables("node-03")
    world.run_up_to(Step.PRECHECK)
    decision = world.admit("node-02")
    assert (decision.admission, decision.code) == (Admission.WAIT, Code.HA_GROUP)
    assert world.enabled("node-02")


def test_when_guests_are_touched_members_move_like_every_server(paired: World) -> None:
    paired.plan = replace(paired.plan, run_id=f"{paired.plan.run_id}-data", members_stay=False)
    paired.open(paired.plan)
    paired.run_up_to(Step.MIGRATE)
    assert paired.drain_plan().staying == ()
    assert paired.cloud.guests["sbc-a"].host != NODE


def test_a_server_that_arrives_late_is_no_member_and_leaves_before_the_upgrade(paired: World) -> None:
    paired.run_up_to(Step.MIGRATE)
    paired.boot("late")
    assert paired.run(Step.UPGRADE).outcome is Outcome.OK
    assert paired.cloud.guests["late"].host != NODE
    assert paired.cloud.guests["sbc-a"].host == NODE
