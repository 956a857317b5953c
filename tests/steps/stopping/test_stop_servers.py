"""Servers that cannot be moved are stopped before the upgrade of their node; who ran is remembered before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_power import PowerFault
from tests.steps.fake_records import Guest
from tests.steps.worlds import NEW, NODE, World

from escalator.model.bundle import RebootPolicy
from escalator.model.campaign import NodeState, Step, UpgradeMode
from escalator.model.decisions import Admission
from escalator.model.feature import Feature
from escalator.model.moves import Agreement
from escalator.model.step import Outcome
from escalator.model.stops import StopEnd
from escalator.model.verdict import Code
from escalator.steps.stopping.stop_servers import STOP_WITHIN


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world with servers that cannot be moved, one of them shut off, and one that can."""
    world = make_world(mode=UpgradeMode.NON_SMOOTH)
    world.pinned = frozenset({"pin", "off"})
    world.boot("pin")
    world.boot("gpu", features=frozenset({Feature.PCI}))
    world.boot("off", vm_state="stopped")
    world.boot("web")
    return world


def states(world: World) -> dict[str, str]:
    return {name: guest.vm_state for name, guest in world.cloud.guests.items() if guest.host == NODE}


def watch_switch(world: World) -> list[dict[str, str]]:
    """Note which servers are in which state at the moment at which the node is switched."""
    seen: list[dict[str, str]] = []
    node = world.nodes[NODE]
    activate = node.activate

    def watched(version: str) -> Any:
        seen.append(states(world))
        return activate(version)

    node.activate = watched  # type: ignore[method-assign]
    return seen


def test_what_cannot_be_moved_is_down_while_the_node_is_upgraded_and_what_ran_runs_after(
    world: World,
) -> None:
    seen = watch_switch(world)
    world.run_up_to(Step.PRECHECK)
    assert "1 server(s) to move, 3 stay and must not run meanwhile" in world.progress().message
    for step in (Step.SWITCHOVER, Step.MIGRATE, Step.UPGRADE):
        assert world.run(step).outcome is Outcome.OK
    assert seen == [{"pin": "stopped", "gpu": "stopped", "off": "stopped"}]
    assert states(world) == seen[0]
    assert world.run(Step.VERIFY).outcome is Outcome.OK
    assert states(world) == {"pin": "active", "gpu": "active", "off": "stopped"}
    assert {stop.server_id: stop.end for stop in world.facts().stops} == {
        "pin": StopEnd.RUNS,
        "gpu": StopEnd.RUNS,
    }
    assert world.run(Step.RELEASE).outcome is Outcome.OK
    assert world.progress().state is NodeState.RELEASED
    assert (world.nodes[NODE].running, world.enabled()) == (NEW, True)
    assert world.cloud.guests["web"].host != NODE


def test_who_ran_is_in_the_ledger_before_the_first_is_stopped(world: World) -> None:
    world.run_up_to(Step.MIGRATE)
    world.kill(Step.UPGRADE, at=lambda method: method == "stop_server")
    assert {(s.server_id, s.power_state) for s in world.facts().stops} == {
        ("pin", "running"),
        ("gpu", "running"),
    }
    assert [s.server_id for s in world.facts().stops if s.asked_at is not None] == ["gpu"]
    assert world.run(Step.UPGRADE).outcome is Outcome.OK
    assert world.run(Step.VERIFY).outcome is Outcome.OK
    assert states(world) == {"pin": "active", "gpu": "active", "off": "stopped"}


def test_a_smooth_campaign_holds_the_node_and_stops_nothing(make_world: MakeWorld) -> None:
    world = make_world()
    world.pinned = frozenset({"pin"})
    world.boot("pin")
    result = world.run_up_to(Step.PRECHECK)
    assert result is not None
    assert (result.outcome, result.code) == (Outcome.HELD, Code.SERVER_PINNED)
    world.run(Step.RELEASE)
    assert "stop" not in world.verbs()
    assert world.enabled()


def test_one_that_does_not_stop_holds_the_node_and_those_that_did_run_again(world: World) -> None:
    world.cloud.guests["pin"].power_fault = PowerFault.HANG_OFF
    world.run_up_to(Step.MIGRATE)
    begun = world.clock.now
    result = world.run(Step.UPGRADE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.SERVER_NOT_STOPPED)
    assert "pin" in result.message
    assert "active, powering-off" in result.message
    assert world.clock.now - begun >= STOP_WITHIN
    world.cloud.guests["pin"].task_state = None  # a person has mended it
    world.cloud.powers.clear()
    world.run(Step.RELEASE)
    assert states(world) == {"pin": "active", "gpu": "active", "off": "stopped"}
    assert (world.progress().state, world.nodes[NODE].switched) == (NodeState.HELD, 0)


def test_what_its_owner_stops_at_the_same_moment_is_not_started(world: World) -> None:
    world.run_up_to(Step.MIGRATE)
    pin = world.cloud.guests["pin"]

    def owner(method: str) -> None:
        if method == "stop_server":
            world.cloud.before = None
            pin.vm_state, world.cloud.guests["gpu"].vm_state = "stopped", "stopped"

    world.cloud.before = owner
    assert world.run(Step.UPGRADE).outcome is Outcome.OK
    assert {stop.end for stop in world.facts().stops} == {StopEnd.NOT_OURS}
    assert world.run(Step.VERIFY).outcome is Outcome.OK
    assert "start" not in world.verbs()


def test_one_that_its_owner_starts_before_its_turn_is_stopped_and_started(world: World) -> None:
    world.run_up_to(Step.MIGRATE)
    world.cloud.guests["off"].vm_state = "active"
    assert world.run(Step.UPGRADE).outcome is Outcome.OK
    assert states(world)["off"] == "stopped"
    world.run(Step.VERIFY)
    assert states(world)["off"] == "active"


def test_one_that_comes_while_the_others_are_stopped_is_stopped_too(world: World) -> None:
    world.run_up_to(Step.MIGRATE)
    world.pinned |= {"late"}

    def come(method: str) -> None:
        if method == "stop_server":
            world.cloud.before = None
            world.boot("late")

    world.cloud.before = come
    seen = watch_switch(world)
    assert world.run(Step.UPGRADE).outcome is Outcome.OK
    assert seen == [dict.fromkeys(("pin", "gpu", "off", "late"), "stopped")]
    assert world.run(Step.VERIFY).outcome is Outcome.OK
    assert states(world) == {"pin": "active", "gpu": "active", "off": "stopped", "late": "active"}


def test_one_that_was_paused_meanwhile_holds_the_node(world: World) -> None:
    world.run_up_to(Step.MIGRATE)
    world.cloud.guests["pin"].vm_state = "paused"
    result = world.run(Step.UPGRADE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.SERVER_NOT_STOPPED)
    world.run(Step.RELEASE)
    assert states(world)["gpu"] == "active"


@pytest.mark.parametrize("reboot", [RebootPolicy.ALWAYS, RebootPolicy.IF_REQUIRED])
def test_a_member_that_stays_on_a_machine_that_restarts_is_down_meanwhile(
    make_world: MakeWorld, reboot: RebootPolicy
) -> None:
    world = make_world()
    world.bundle = replace(world.bundle, reboot=reboot)
    world.plan = replace(world.plan, run_id=f"{world.plan.run_id}-{reboot}", members_stay=False)
    world.open(world.plan)
    world.pairs = (("sbc-a", "sbc-b"),)
    world.boot("sbc-a")
    world.boot("sbc-b", "node-02")
    world.run_up_to(Step.SWITCHOVER)
    assert [move.server_id for move in world.drain_plan().moves] == ["sbc-a"]  # nobody says that it may stay
    world.recorded.remember(NODE, agreement=Agreement(stays=("sbc-a",)), drain_started=world.clock.now)
    seen = watch_switch(world)
    for step in (Step.MIGRATE, Step.UPGRADE, Step.VERIFY):
        assert world.run(step).outcome is Outcome.OK
    assert seen == [{"sbc-a": "stopped"}]
    assert states(world) == {"sbc-a": "active"}


def make_group(make_world: MakeWorld, mode: str) -> World:
    """Make a world with a group on one node, none of whose members can be moved."""
    world = make_world(mode=UpgradeMode.NON_SMOOTH)
    world.plan = replace(world.plan, run_id=f"{world.plan.run_id}-{mode}", members_stay=False)
    world.open(world.plan)
    world.mode, world.pairs = mode, (("first", "second", "third"),)
    world.pinned = frozenset(world.pairs[0])
    for name in world.pairs[0]:
        world.boot(name)
    return world


def test_members_of_a_group_stop_and_start_one_after_the_other(make_world: MakeWorld) -> None:
    world = make_group(make_world, "none")
    world.run_up_to(Step.VERIFY)
    asked = [(w.verb, w.subject) for w in world.cloud.writes if w.verb in {"stop", "start"}]
    assert asked == [
        *(("stop", name) for name in ("third", "second", "first")),
        *(("start", name) for name in ("first", "second", "third")),
    ]


def test_a_stop_counts_for_the_limits_of_a_group_as_a_member_that_is_out(make_world: MakeWorld) -> None:
    decision = make_group(make_world, "load-balanced").admit()
    assert (decision.admission, decision.code) == (Admission.HOLD, Code.HA_GROUP)
    assert "has 3 of its 3 members on this node, and 1 may be impacted" in decision.message


def test_a_node_whose_life_begins_anew_keeps_what_it_stopped(world: World) -> None:
    world.nodes[NODE].stage_faults = []
    world.cloud.hosts[NODE].canary_fault = "no bootable device"
    world.run_up_to(Step.VERIFY)
    down = [stop.server_id for stop in world.facts().stops if stop.is_down]
    assert sorted(down) == ["gpu", "pin"]
    world.cloud.hosts[NODE].canary_fault = None
    world.admit()
    world.run(Step.PRECHECK)  # shut off, a PCI device would not keep it from a cold move
    assert [move.server_id for move in world.drain_plan().moves] == []
    for step in (Step.SWITCHOVER, Step.MIGRATE, Step.UPGRADE, Step.VERIFY):
        assert world.run(step).outcome is Outcome.OK
    assert states(world) == {"pin": "active", "gpu": "active", "off": "stopped"}


def test_a_guest_that_has_gone_needs_nothing(world: World) -> None:
    world.run_up_to(Step.MIGRATE)
    world.cloud.delete("pin")
    gpu: Guest = world.cloud.guests["gpu"]
    assert world.run(Step.UPGRADE).outcome is Outcome.OK
    assert gpu.vm_state == "stopped"
