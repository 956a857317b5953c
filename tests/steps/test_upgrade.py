from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_records import Fault, KilledError
from tests.steps.worlds import BUNDLE, NEW, NODE, OLD, World

from escalator.model.bundle import NoMechanism
from escalator.model.campaign import NodeState, Step
from escalator.model.errors import NodeFaultError, SupersededError, TransientError
from escalator.model.lease import LeaseMark
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.campaign.prepare import prepare
from escalator.steps.upgrade import QUIET_WITHIN
from escalator.system_support.remote_job import JobOverdueError


def emptied(world: World) -> World:
    world.boot("web")
    world.run_up_to(Step.MIGRATE)
    return world


@pytest.fixture
def empty(world: World) -> World:
    return emptied(world)


def test_the_node_is_brought_to_the_new_release(empty: World) -> None:
    result = empty.run(Step.UPGRADE)
    assert result.outcome is Outcome.OK
    assert (empty.nodes[NODE].running, empty.nodes[NODE].switched) == (NEW, 1)
    assert empty.progress().state is NodeState.UPGRADED
    assert empty.facts().restarted_at
    assert empty.facts().verified is None


def test_a_second_run_restarts_nothing_and_keeps_the_time_of_the_restart(empty: World) -> None:
    empty.run(Step.UPGRADE)
    restarted = empty.facts().restarted_at
    empty.clock.sleep(60)
    assert empty.run(Step.UPGRADE).outcome is Outcome.OK
    assert (empty.nodes[NODE].switched, empty.facts().restarted_at) == (1, restarted)


def test_a_node_that_is_not_empty_is_not_touched(empty: World) -> None:
    empty.boot("late", vm_state="error")
    result = empty.run(Step.UPGRADE)
    assert result.outcome is Outcome.HELD
    assert "late" in result.message
    assert empty.nodes[NODE].switched == 0


def test_it_waits_until_no_server_moves_to_or_from_the_node(empty: World) -> None:
    empty.cloud.hosts[NODE].status, reason = empty.cloud.hosts["node-02"].status, empty.service()
    empty.boot("peer", "node-02")
    empty.cloud.person_enables(NODE)
    empty.cloud.start_live_migration("peer", NODE)
    empty.cloud.fetch_migrations()
    empty.cloud.fetch_migrations()
    empty.cloud.person_disables(NODE, reason.disabled_reason)
    result = empty.run(Step.UPGRADE)
    assert result.outcome is Outcome.OK  # it has landed here, and left again
    assert empty.cloud.requested("peer")[0] == NODE
    assert empty.cloud.guests["peer"].host != NODE
    assert empty.nodes[NODE].switched == 1


@pytest.mark.parametrize("taken", [False, True])
def test_a_late_server_whose_move_was_cut_off_is_brought_to_its_end(empty: World, *, taken: bool) -> None:
    late = empty.boot("late", vm_state="stopped")

    empty.kill(Step.UPGRADE, at=lambda method: method == "confirm_resize")
    empty.cloud.fetch_migrations()
    assert late.vm_state == "resized"
    if taken:
        empty.cloud.person_enables(NODE)
    result = empty.run(Step.UPGRADE)
    assert result.code is (Code.LEASE_LOST if taken else None)
    assert (late.vm_state, late.host != NODE) == ("stopped", True)
    assert empty.nodes[NODE].switched == (0 if taken else 1)


def test_a_migration_that_does_not_end_holds_the_node(empty: World) -> None:
    empty.boot("peer", "node-02", fault=Fault.HANG)
    reason = empty.service().disabled_reason
    empty.cloud.person_enables(NODE)
    empty.cloud.start_live_migration("peer", NODE)
    empty.cloud.fetch_migrations()
    empty.cloud.fetch_migrations()
    empty.cloud.person_disables(NODE, reason)
    began = empty.clock.now
    result = empty.run(Step.UPGRADE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.NODE_NOT_EMPTY)
    assert "do not end" in result.message
    assert empty.clock.now - began > QUIET_WITHIN


def test_a_node_that_is_taken_back_while_it_becomes_quiet_is_waited_for_no_longer(empty: World) -> None:
    empty.boot("peer", "node-02", fault=Fault.HANG)
    reason = empty.service().disabled_reason
    empty.cloud.person_enables(NODE)
    empty.cloud.start_live_migration("peer", NODE)
    empty.cloud.fetch_migrations()
    empty.cloud.person_disables(NODE, reason)
    began = empty.clock.now

    def take(_method: str) -> None:
        if (empty.clock.now - began).total_seconds() > 10:
            empty.cloud.person_enables(NODE)

    empty.cloud.before = take
    assert empty.run(Step.UPGRADE).code is Code.LEASE_LOST
    assert (empty.clock.now - began).total_seconds() < 30


def test_a_cloud_that_is_away_while_the_node_is_proved_empty_ends_no_step(empty: World) -> None:
    empty.cloud.errors["fetch_servers"] = [TransientError("HTTP 503")] * 3
    assert empty.run(Step.UPGRADE).outcome is Outcome.OK


def test_a_cloud_that_is_away_for_minutes_takes_nothing_of_the_time_to_become_quiet(empty: World) -> None:
    guest = empty.boot("peer", "node-02", fault=Fault.HANG)
    reason = empty.service().disabled_reason
    empty.cloud.person_enables(NODE)
    empty.cloud.start_live_migration("peer", NODE)
    empty.cloud.fetch_migrations()
    empty.cloud.person_disables(NODE, reason)
    away = empty.clock.now + timedelta(minutes=7)

    def refuse(method: str) -> None:
        if method == "fetch_migrations" and empty.clock.now < away:
            raise TransientError("HTTP 503")
        if empty.clock.now > away + timedelta(minutes=2):
            empty.cloud.moves[-1].script = ["cancelled"]
            guest.fault = Fault.NONE

    empty.cloud.before = refuse
    assert empty.run(Step.UPGRADE).outcome is Outcome.OK
    assert empty.clock.now > away


@pytest.mark.parametrize(
    ("where", "code", "mark"),
    [
        ("stage_faults", Code.STAGE_FAILED, LeaseMark.HELD),
        ("activate_faults", Code.UPGRADE_FAILED, LeaseMark.FAILED),
    ],
)
def test_a_job_that_fails_holds_the_node_with_old_software_and_fails_it_with_new(
    empty: World, where: str, code: Code, mark: LeaseMark
) -> None:
    setattr(empty.nodes[NODE], where, [NodeFaultError("disk full")])
    result = empty.run(Step.UPGRADE)
    assert (result.outcome.name, result.code) == (mark.value, code)
    assert "disk full" in result.message
    empty.run(Step.RELEASE)
    assert f":{mark} [{code}]" in str(empty.service().disabled_reason)


def test_a_host_key_that_changed_holds_the_node_with_its_real_code(empty: World) -> None:
    changed = NodeFaultError("the host key is not the known one", code=Code.NODE_UNREACHABLE)
    empty.nodes[NODE].stage_faults = [changed]
    assert empty.run(Step.UPGRADE).code is Code.NODE_UNREACHABLE
    empty.run(Step.RELEASE)
    assert ":DRAINING:HELD [node_unreachable] the host key" in str(empty.service().disabled_reason)


def test_a_connection_that_is_lost_is_another_try(empty: World) -> None:
    empty.nodes[NODE].unreachable = [TransientError("lost"), TransientError("lost")]
    with pytest.raises(TransientError):
        empty.run(Step.UPGRADE)
    assert empty.progress().state is NodeState.EMPTY
    with pytest.raises(TransientError):
        empty.run(Step.UPGRADE, last_try=True)
    assert (empty.progress().state, empty.progress().code) == (NodeState.HELD, Code.CLOUD_UNREACHABLE)


def test_killed_anywhere_and_tried_again_it_restarts_once(make_world: MakeWorld) -> None:
    whole = emptied(make_world())
    before = whole.fuse.burnt
    whole.run(Step.UPGRADE)
    for count in range(0, whole.fuse.burnt - before, 2):
        world = emptied(make_world())
        world.fuse.left = count
        with pytest.raises(KilledError):
            world.run(Step.UPGRADE)
        assert world.run(Step.UPGRADE).outcome is Outcome.OK
        assert (world.nodes[NODE].running, world.nodes[NODE].switched) == (NEW, 1), count
        assert world.facts().restarted_at


def test_a_superseded_attempt_does_not_switch(empty: World) -> None:
    stage = empty.nodes[NODE].stage

    def newer(version: str) -> object:
        done = stage(version)
        empty.begin(Step.UPGRADE)
        return done

    empty.nodes[NODE].stage = newer  # type: ignore[method-assign,assignment]
    with pytest.raises(SupersededError):
        empty.run(Step.UPGRADE)
    assert empty.nodes[NODE].switched == 0


def test_a_bundle_that_brings_nothing_leaves_the_node_alone(world: World) -> None:
    world.bundle = replace(BUNDLE, mechanism=NoMechanism())
    emptied(world)
    assert world.run(Step.UPGRADE).outcome is Outcome.OK
    assert (world.nodes[NODE].running, world.nodes[NODE].switched) == (OLD, 0)


def test_without_the_lease_the_node_is_not_touched(empty: World) -> None:
    empty.cloud.person_disables(NODE)
    result = empty.run(Step.UPGRADE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.LEASE_LOST)
    assert empty.nodes[NODE].switched == 0


def test_prepare_stages_where_it_is_needed_and_says_where_it_could_not(world: World) -> None:
    world.recorded.remember("node-03", version=NEW)
    world.nodes["node-02"].stage_faults = [NodeFaultError("disk full")]
    assert prepare(world.context()) == {"node-02": "disk full"}
    assert [host for host, node in world.nodes.items() if node.staged] == [NODE]
    assert prepare(world.context()) == {}
    assert [host for host, node in world.nodes.items() if node.staged] == [NODE, "node-02"]


def test_prepare_touches_nothing_in_a_dry_run(make_world: MakeWorld) -> None:
    world = make_world(dry_run=True)
    assert prepare(world.context()) == {}
    assert not any(node.staged for node in world.nodes.values())


def test_a_job_that_does_not_end_hangs(empty: World) -> None:
    empty.nodes[NODE].activate_faults = [JobOverdueError("job still runs at its deadline")]
    result = empty.run(Step.UPGRADE)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.STEP_HUNG)
