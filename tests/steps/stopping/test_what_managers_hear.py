"""Managers of servers that cannot be moved are asked before, and what they answer holds."""

from __future__ import annotations

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.managers import acting, refuse, register
from tests.steps.worlds import NODE, World

from escalator.model.campaign import NodeState, Step, UpgradeMode
from escalator.model.notice import InstanceAction
from escalator.model.step import Outcome
from escalator.steps.campaign.check_conditions import judge
from escalator.vim_interface.negotiation.asking import STOPPED


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world with one server that cannot be moved, and one that can, of a managed project."""
    world = make_world(mode=UpgradeMode.NON_SMOOTH)
    world.pinned = frozenset({"pin"})
    world.boot("pin")
    world.boot("web")
    return world


def through_precheck(world: World) -> None:
    world.admit()
    world.run(Step.PRECHECK)


def test_it_is_told_who_will_be_stopped_and_when_that_is_over(world: World) -> None:
    managers = register(world, acting(InstanceAction.MIGRATE))
    through_precheck(world)
    assert managers.hear().result.outcome is Outcome.OK
    assert world.desk is not None
    (asked,) = world.desk.find_asked(NODE, 0)
    assert asked.notice.metadata == {"bundle": "nova-34", STOPPED: "pin"}
    for step in (Step.MIGRATE, Step.UPGRADE):
        assert world.run(step).outcome is Outcome.OK
    assert [state for state, _ in managers.told()].count("INSTANCE_ACTION_DONE") == 1
    assert world.cloud.guests["pin"].vm_state == "stopped"
    assert world.run(Step.VERIFY).outcome is Outcome.OK
    assert [state for state, _ in managers.told()].count("INSTANCE_ACTION_DONE") == 2


def test_a_manager_that_refuses_keeps_its_server_running(world: World) -> None:
    managers = register(world, refuse)
    through_precheck(world)
    managers.hear()
    assert world.progress().state is NodeState.HELD
    assert "stop" not in world.verbs()


def test_one_that_acts_itself_keeps_its_server_as_it_is_while_no_machine_restarts(world: World) -> None:
    managers = register(world, acting(InstanceAction.OWN_ACTION))
    through_precheck(world)
    managers.hear()
    for step in (Step.MIGRATE, Step.UPGRADE, Step.VERIFY):
        assert world.run(step).outcome is Outcome.OK
    assert "stop" not in world.verbs()


def test_a_check_says_which_manager_is_told(world: World) -> None:
    register(world, refuse)
    report = judge(world.context(), world.hosts).report
    (said,) = (c.message for c in report.conditions if c.subject.name == "pin")
    assert said.endswith("VNF manager m is told before")
