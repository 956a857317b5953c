"""Right before a node is ordered to reboot, or its power is switched, it is looked at once more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_boots import FakeBoots
from tests.steps.rebooting.test_power import ALWAYS, FakePower
from tests.steps.worlds import NODE, World

from escalator.model.campaign import NodeState, Step, UpgradeMode
from escalator.model.errors import TransientError
from escalator.model.step import Outcome
from escalator.model.verdict import Code


@pytest.fixture
def empty(world: World) -> World:
    world.bundle = ALWAYS
    world.run_up_to(Step.MIGRATE)
    return world


def boots(world: World) -> FakeBoots:
    return world.nodes[NODE].boots


def while_switched(world: World, deed: Callable[[], object]) -> None:
    """Let somebody do something once, while the node's software is switched."""
    node, activate = world.nodes[NODE], world.nodes[NODE].activate

    def switched(version: str) -> object:
        node.activate = activate  # type: ignore[method-assign]
        done = activate(version)
        deed()
        return done

    node.activate = switched  # type: ignore[method-assign,assignment]


def after(world: World, seconds: float, deed: Callable[[], object]) -> None:
    """Let somebody do something once, so long after now."""
    sleep, at = world.clock.sleep, world.clock.now.timestamp() + seconds

    def slept(pause: float) -> None:
        sleep(pause)
        if world.clock.now.timestamp() > at:
            world.clock.sleep = sleep  # type: ignore[method-assign]
            deed()

    world.clock.sleep = slept  # type: ignore[method-assign]


@pytest.mark.parametrize("vm_state", ["active", "stopped", "error"])
def test_a_node_that_got_a_server_while_it_was_switched_is_not_rebooted(empty: World, vm_state: str) -> None:
    while_switched(empty, lambda: empty.boot("late", vm_state=vm_state))
    result = empty.run(Step.UPGRADE)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.NODE_NOT_EMPTY)
    assert "node-01 is not rebooted: server late (late) is on it" in result.message
    assert "then clear node-01.admit with downstream" in result.message
    assert (boots(empty).orders, empty.facts().reboot) == (0, None)
    empty.run(Step.RELEASE)
    assert (empty.progress().state, empty.enabled()) == (NodeState.FAILED, False)
    empty.cloud.delete("late")
    assert empty.run(Step.UPGRADE).outcome is Outcome.OK
    assert boots(empty).orders == 1


def test_a_node_that_does_not_obey_and_is_taken_by_a_person_is_not_ordered_again(empty: World) -> None:
    boots(empty).obeys = False

    def take() -> None:
        empty.cloud.person_enables(NODE)
        empty.boot("tenant")
        boots(empty).obeys = True

    after(empty, 20, take)
    assert empty.run(Step.UPGRADE).code is Code.LEASE_LOST
    assert boots(empty).orders == 0


def test_a_node_that_does_not_obey_and_gets_a_server_is_not_ordered_again(empty: World) -> None:
    boots(empty).obeys = False

    def evacuate() -> None:
        empty.boot("late")
        boots(empty).obeys = True

    after(empty, 20, evacuate)
    result = empty.run(Step.UPGRADE)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.REBOOT_OVERDUE)
    assert "not ordered again: server late (late) is on it, active" in result.message
    assert boots(empty).orders == 0


def test_while_nova_does_not_answer_no_order_is_given_again(empty: World) -> None:
    boots(empty).obeys = False

    def fall_silent() -> None:
        boots(empty).obeys = True

        def away(method: str) -> None:
            if method == "fetch_service":
                raise TransientError("HTTP 503")

        empty.cloud.before = away

    after(empty, 20, fall_silent)
    result = empty.run(Step.UPGRADE)
    assert (result.code, boots(empty).orders) == (Code.REBOOT_OVERDUE, 0)
    assert "not ordered again: HTTP 503" in result.message


def test_the_power_of_a_silent_node_that_has_a_server_is_left_alone(empty: World) -> None:
    boots(empty).comes_back = False
    empty.power = FakePower(boots(empty))
    after(empty, 20, lambda: empty.boot("late"))
    result = empty.run(Step.UPGRADE)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.REBOOT_OVERDUE)
    assert "its power is not switched: server late (late) is on it, active" in result.message
    assert empty.power.said == ""


def test_a_stopped_server_that_its_owner_starts_meanwhile_is_shut_down_before_the_reboot(
    make_world: MakeWorld,
) -> None:
    world = make_world(mode=UpgradeMode.NON_SMOOTH)
    world.bundle = ALWAYS
    world.plan = replace(world.plan, run_id=f"{world.plan.run_id}-started", members_stay=False)
    world.open(world.plan)
    world.pinned = frozenset({"pin"})
    world.boot("pin")
    world.run_up_to(Step.MIGRATE)
    pin = world.cloud.guests["pin"]
    while_switched(world, lambda: setattr(pin, "vm_state", "active"))
    seen: list[str] = []
    reboot = boots(world).reboot

    def watched() -> None:
        seen.append(pin.vm_state)
        reboot()

    boots(world).reboot = watched  # type: ignore[method-assign]
    assert world.run(Step.UPGRADE).outcome is Outcome.OK
    assert seen == ["stopped"]
    assert world.run(Step.VERIFY).outcome is Outcome.OK
    assert pin.vm_state == "active"
