"""A campaign that only reboots its nodes: a server that cannot move is down in between, and runs after."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_records import KilledError
from tests.steps.worlds import BUNDLE, EMPTY_CLOUD, NODE, World

from escalator.model.bundle import Impact, NoMechanism, RebootPolicy
from escalator.model.campaign import NodeState, Step, UpgradeMode
from escalator.model.step import Outcome
from escalator.model.verdict import Code

REBOOT_ONLY = replace(
    BUNDLE,
    name="reboot-only",
    mechanism=NoMechanism(),
    impact=Impact.REBOOT,
    reboot=RebootPolicy.ALWAYS,
    reboot_limit_seconds=600.0,
)
DOCUMENT = {
    "schema": "escalator.bundle/1",
    "name": "reboot-only",
    "components": [],
    "mechanism": {"type": "none"},
    "impact": "reboot",
    "reboot": "always",
}


def make(make_world: MakeWorld) -> World:
    """Make a world of a reboot-only campaign, emptied but for a server that runs and one that is off."""
    world = make_world(mode=UpgradeMode.NON_SMOOTH)
    world.bundle = REBOOT_ONLY
    world.plan = replace(
        world.make_plan(f"{world.plan.run_id}-reboot", bundle="reboot-only"), members_stay=False
    )
    world.recorded.open(
        world.plan,
        dag_id=world.plan.campaign,
        bundle_document=DOCUMENT,
        snapshot_before=EMPTY_CLOUD,
        now=world.clock.now,
    )
    world.pinned = frozenset({"pin", "off"})
    world.boot("pin")
    world.boot("off", vm_state="stopped")
    world.nodes[NODE].boots.stops, world.nodes[NODE].boots.away = 4.0, 1.0
    world.run_up_to(Step.MIGRATE)
    return world


def states(world: World) -> dict[str, str]:
    return {name: guest.vm_state for name, guest in world.cloud.guests.items()}


def watch_reboot(world: World) -> list[dict[str, str]]:
    """Note the states of the servers at each order to reboot."""
    seen: list[dict[str, str]] = []
    boots = world.nodes[NODE].boots
    reboot = boots.reboot

    def watched() -> None:
        seen.append(states(world))
        reboot()

    boots.reboot = watched  # type: ignore[method-assign]
    return seen


def test_it_is_stopped_the_node_reboots_and_it_runs_again(make_world: MakeWorld) -> None:
    world = make(make_world)
    seen = watch_reboot(world)
    for step in (Step.UPGRADE, Step.VERIFY, Step.RELEASE):
        assert world.run(step).outcome is Outcome.OK
    assert seen == [{"pin": "stopped", "off": "stopped"}]
    assert states(world) == {"pin": "active", "off": "stopped"}
    assert (world.progress().state, world.nodes[NODE].boots.orders) == (NodeState.RELEASED, 1)


def test_killed_anywhere_in_the_upgrade_it_is_never_lost(make_world: MakeWorld) -> None:
    whole = make(make_world)
    before = whole.fuse.burnt
    whole.run(Step.UPGRADE)
    for count in range(1, whole.fuse.burnt - before, 7):
        world = make(make_world)
        seen = watch_reboot(world)
        world.fuse.left = count
        with pytest.raises(KilledError):
            world.run(Step.UPGRADE)
        for step in (Step.UPGRADE, Step.VERIFY):
            assert world.run(step).outcome is Outcome.OK, count
        assert states(world) == {"pin": "active", "off": "stopped"}, count
        assert {s["pin"] for s in seen} == {"stopped"}, count


def test_on_a_node_that_may_still_reboot_it_is_not_started(make_world: MakeWorld) -> None:
    world = make(make_world)
    world.nodes[NODE].boots.obeys = False
    result = world.run(Step.UPGRADE)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.REBOOT_OVERDUE)
    said = world.run(Step.RELEASE).message
    assert states(world) == {"pin": "stopped", "off": "stopped"}
    assert "the job that upgrades its node may go on" in said
