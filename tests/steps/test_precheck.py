from __future__ import annotations

from dataclasses import replace

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_records import START
from tests.steps.worlds import BUNDLE, NEW, NODE, World

from escalator.model.bundle import NoMechanism
from escalator.model.campaign import NodeState, Step
from escalator.model.errors import NodeFaultError, SupersededError, TransientError
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.precheck import PATIENCE


@pytest.fixture
def admitted(world: World) -> World:
    world.admit()
    return world


def test_a_good_node_gets_its_drain_plan(admitted: World) -> None:
    admitted.boot("web", vm_state="active")
    admitted.boot("off", vm_state="stopped")
    admitted.boot("elsewhere", "node-02")
    result = admitted.run(Step.PRECHECK)
    assert (result.outcome, result.details["servers"]) == (Outcome.OK, 2)
    plan = admitted.drain_plan()
    assert {(m.server_id, m.method) for m in plan.moves} == {("web", "live"), ("off", "cold")}
    assert all(NODE not in m.destinations for m in plan.moves)
    assert admitted.progress().state is NodeState.CHECKED


def test_every_blocker_is_told_at_once_and_release_gives_the_node_back(admitted: World) -> None:
    admitted.boot("broken", vm_state="error")
    admitted.boot("asleep", vm_state="suspended")
    admitted.boot("web")
    result = admitted.run(Step.PRECHECK)
    assert result.outcome is Outcome.HELD
    for words in ("server broken", "in ERROR", "server asleep", "suspended"):
        assert words in result.message
    assert "server web" not in result.message
    assert admitted.facts().drain_plan is None
    assert admitted.progress().state is NodeState.HELD
    admitted.run(Step.RELEASE)
    assert admitted.enabled()


def test_a_busy_server_is_waited_for(admitted: World) -> None:
    guest = admitted.boot("web", task_state="rebooting")

    def rest(_method: str) -> None:
        if (admitted.clock.now - START).total_seconds() > 5:
            guest.task_state = None

    admitted.cloud.before = rest
    assert admitted.run(Step.PRECHECK).outcome is Outcome.OK
    assert admitted.clock.now - START < PATIENCE


def test_a_server_that_stays_busy_holds_the_node(admitted: World) -> None:
    admitted.boot("web", task_state="rebooting")
    result = admitted.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.SERVER_BUSY)
    assert admitted.clock.now - START > PATIENCE


def test_a_server_that_lands_after_the_reads_is_unsettled(admitted: World) -> None:
    def land(method: str) -> None:
        if method == "fetch_snapshot":
            admitted.cloud.before = None
            admitted.boot("late")

    admitted.cloud.before = land
    assert admitted.run(Step.PRECHECK).code is Code.SERVERS_UNSETTLED


def test_a_resize_that_waits_for_its_owner_holds_both_nodes(admitted: World) -> None:
    admitted.boot("web", vm_state="stopped")
    admitted.cloud.start_cold_migration("web", "node-02")
    for _ in range(6):
        admitted.cloud.fetch_migrations()
    result = admitted.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.SERVER_UNCONFIRMED_RESIZE)


def test_what_the_node_lacks_is_a_blocker_beside_those_of_servers(admitted: World) -> None:
    admitted.nodes[NODE].lacks = ("no python3",)
    admitted.boot("broken", vm_state="error")
    message = admitted.run(Step.PRECHECK).message
    assert "no python3" in message
    assert "broken" in message


def test_what_cannot_be_staged_gives_the_node_back_before_a_server_is_moved(admitted: World) -> None:
    admitted.boot("web")
    admitted.nodes[NODE].stage_faults = [NodeFaultError("nova cannot be staged: disk full")]
    result = admitted.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.STAGE_FAILED)
    assert "disk full" in result.message
    assert (admitted.progress().state, admitted.facts().touched) == (NodeState.HELD, False)
    admitted.run(Step.RELEASE)
    assert admitted.enabled()
    assert admitted.service().disabled_reason is None
    assert admitted.cloud.requested("web") == []


def test_what_prepare_could_not_stage_is_staged_before_the_drain(admitted: World) -> None:
    assert admitted.nodes[NODE].staged == set()
    assert admitted.run(Step.PRECHECK).outcome is Outcome.OK
    assert admitted.nodes[NODE].staged == {NEW}


def test_a_node_that_does_not_answer_while_it_is_staged_may_be_tried_again(admitted: World) -> None:
    admitted.nodes[NODE].unreachable = [TransientError("no route")]
    with pytest.raises(TransientError):
        admitted.run(Step.PRECHECK)
    assert admitted.run(Step.PRECHECK).outcome is Outcome.OK


def test_a_bundle_that_brings_nothing_needs_no_shell(world: World) -> None:
    world.bundle = replace(BUNDLE, mechanism=NoMechanism())
    world.admit()
    world.nodes[NODE].unreachable = [TransientError("no route")]
    assert world.run(Step.PRECHECK).outcome is Outcome.OK


def test_without_the_lease_nothing_is_done(make_world: MakeWorld) -> None:
    world = make_world()
    result = world.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.LEASE_LOST)
    assert world.facts().drain_plan is None


def test_a_superseded_attempt_forgets_nothing_of_the_newer_ones_drain(admitted: World) -> None:
    def newer(method: str) -> None:
        if method == "fetch_snapshot":
            admitted.cloud.before = None
            admitted.begin(Step.MIGRATE).remember(drain_started=START)

    admitted.cloud.before = newer
    with pytest.raises(SupersededError):
        admitted.run(Step.PRECHECK)
    assert admitted.facts().drain_started == START
