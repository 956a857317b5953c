from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_records import START, KilledError
from tests.steps.worlds import NEW, NODE, OLD, World

from escalator.model.campaign import NodeState, Step
from escalator.model.decisions import Admission
from escalator.model.errors import (
    LeaseLostError,
    LoginRefusedError,
    NodeFaultError,
    SupersededError,
    TransientError,
)
from escalator.model.lease import Lease, LeaseMark, LeasePhase
from escalator.model.verdict import Code
from escalator.steps.running.login_patience import BORNE


def test_the_lease_is_taken_and_what_was_found_is_remembered(world: World) -> None:
    decision = world.admit()
    assert decision.admission is Admission.ADMIT
    lease = world.service().lease
    assert lease is not None
    assert (lease.phase, lease.since) == (LeasePhase.ADMITTED, START)
    assert world.facts().leases == (world.service().disabled_reason,)
    assert world.progress().state is NodeState.ADMITTED
    assert (world.facts().version, world.facts().from_version) == (OLD, OLD)
    assert world.facts().leased_at


def test_its_own_lease_is_success_without_a_write(world: World) -> None:
    world.admit()
    writes = len(world.cloud.writes)
    assert world.admit().admission is Admission.ADMIT
    assert len(world.cloud.writes) == writes


def test_a_node_that_must_wait_is_not_written(world: World) -> None:
    world.admit()
    decision = world.admit("node-02")
    assert (decision.admission, decision.code) == (Admission.WAIT, Code.PARALLEL_LIMIT)
    assert world.enabled("node-02")
    assert world.progress("node-02").state is NodeState.WAITING
    assert NODE in world.progress("node-02").message


@pytest.mark.parametrize("reason", ["broken fan", None])
def test_a_node_that_a_person_disabled_is_skipped(world: World, reason: str | None) -> None:
    world.cloud.person_disables(NODE, reason)
    assert world.admit().admission is Admission.SKIP
    assert (world.progress().state, world.verbs()) == (NodeState.SKIPPED, [])


def test_a_host_outside_the_plan_is_skipped(world: World) -> None:
    world.cloud.add_host("node-99")
    decision = world.admit("node-99")
    assert (decision.admission, decision.code) == (Admission.SKIP, Code.NOT_SELECTED)


def test_a_node_that_was_upgraded_meanwhile_is_skipped(world: World) -> None:
    world.nodes[NODE].running = NEW
    decision = world.admit()
    assert (decision.admission, decision.code) == (Admission.SKIP, Code.ALREADY_UPGRADED)
    assert world.verbs() == []


def test_a_node_that_cannot_be_reached_now_is_another_try(world: World) -> None:
    world.nodes[NODE].unreachable = [TransientError("no route")]
    with pytest.raises(TransientError):
        world.admit()
    assert world.verbs() == []
    assert world.admit().admission is Admission.ADMIT


def test_a_node_that_refuses_is_held_before_any_write(world: World) -> None:
    world.nodes[NODE].unreachable = [NodeFaultError("host key changed")]
    decision = world.admit()
    assert (decision.admission, decision.code) == (Admission.HOLD, Code.NODE_UNREACHABLE)
    assert (world.progress().state, world.verbs()) == (NodeState.HELD, [])


def another_takes(world: World, host: str, method: str = "ensure_disabled") -> None:
    """Let another run take a node at the moment of our own write."""

    def act(called: str) -> None:
        if called == method:
            world.cloud.before = None
            world.cloud.person_disables(host, world.make_plan("another").lease(host).render())

    world.cloud.before = act


def test_the_loser_of_a_race_gives_its_lease_back(world: World) -> None:
    another_takes(world, "node-02")
    decision = world.admit()
    assert (decision.admission, decision.code) == (Admission.WAIT, Code.PARALLEL_LIMIT)
    assert world.enabled()
    assert world.verbs() == ["disable", "enable"]
    assert world.progress().state is NodeState.WAITING


def test_after_a_lost_race_a_failed_node_has_its_mark_again(world: World) -> None:
    marked = world.take(mark=LeaseMark.FAILED, words="[upgrade_failed] disk full")
    another_takes(world, "node-02")
    assert world.admit().admission is Admission.WAIT
    again = world.service().lease
    assert again is not None
    assert replace(again, nonce="") == replace(marked, nonce="")


def test_two_killed_between_write_and_check_do_not_wait_for_each_other_for_ever(world: World) -> None:
    """Both hold a lease that nobody checked: the one that is tried again first makes room."""
    world.take()
    world.cloud.person_disables("node-02", world.make_plan("another").lease("node-02").render())
    assert world.admit().admission is Admission.WAIT
    assert world.enabled()


def test_a_touched_node_keeps_its_lease_when_too_many_are_out(world: World) -> None:
    world.admit()
    world.begin(Step.MIGRATE).remember(drain_started=START)
    world.cloud.person_disables("node-02", world.make_plan("another").lease("node-02").render())
    assert world.admit().admission is Admission.WAIT
    assert world.holds_lease()


def test_a_superseded_attempt_gives_nothing_back(world: World) -> None:
    """What it wrote is the newer attempt's to judge."""
    another_takes(world, "node-02")
    before = world.cloud.before

    def act(method: str) -> None:
        if before is not None:
            before(method)
        if method == "ensure_disabled":
            world.cloud.before = newer

    def newer(method: str) -> None:
        if method == "fetch_services":
            world.cloud.before = None
            world.begin(Step.ADMIT)

    world.cloud.before = act
    with pytest.raises(SupersededError):
        world.admit()
    assert world.verbs() == ["disable"]


def test_another_holder_in_the_last_moment_is_not_overwritten(world: World) -> None:
    another_takes(world, NODE)
    with pytest.raises(LeaseLostError):
        world.admit()
    other = world.make_plan("another").lease(NODE)
    assert world.service().lease == other


def test_admission_stops_after_a_failure(world: World) -> None:
    world.take("node-02", mark=LeaseMark.FAILED)
    assert world.admit().admission is Admission.STOP
    assert world.enabled()


def test_a_dry_run_writes_nothing(make_world: MakeWorld) -> None:
    world = make_world(dry_run=True)
    decision = world.admit()
    assert (decision.admission, decision.code) == (Admission.SKIP, Code.DRY_RUN)
    assert world.verbs() == []


def test_killed_anywhere_and_tried_again_it_holds_one_lease(make_world: MakeWorld) -> None:
    whole = make_world()
    whole.admit()
    for count in range(0, whole.fuse.burnt, 2):
        world = make_world()
        world.fuse.left = count
        with pytest.raises(KilledError):
            world.admit()
        assert world.admit().admission is Admission.ADMIT
        assert world.verbs().count("disable") == 1, count
        assert world.holds_lease()


def test_a_lease_says_the_limit_to_others(make_world: MakeWorld) -> None:
    world = make_world(max_parallel=2)
    world.admit()
    lease = Lease.parse(world.service().disabled_reason)
    assert lease is not None
    assert lease.max_parallel == 2


@pytest.mark.parametrize("disabled", [True, False])
def test_a_node_that_was_upgraded_and_lost_before_it_was_verified_is_not_passed_over(
    world: World, *, disabled: bool
) -> None:
    world.run_up_to(Step.UPGRADE)
    if disabled:
        world.cloud.person_disables(NODE)
    else:
        world.cloud.person_enables(NODE)
    assert world.run(Step.RELEASE).code is Code.LEASE_LOST
    decision = world.admit()
    assert (decision.admission, decision.code) == (Admission.HOLD, Code.LEASE_LOST)
    assert "AND NEVER VERIFIED" in world.progress().message


def test_a_lost_node_that_another_campaign_takes_at_the_same_moment_takes_a_place(
    make_world: MakeWorld,
) -> None:
    world = make_world(max_failed_nodes=1)
    world.begin(Step.MIGRATE, "node-02").progress(NodeState.HELD, Code.LEASE_LOST, "somebody enabled it")
    another_takes(world, "node-02")
    decision = world.admit()
    assert (decision.admission, decision.code) == (Admission.WAIT, Code.PARALLEL_LIMIT)
    assert world.enabled()


def test_a_refused_login_sends_the_node_back_to_wait_for_minutes_then_holds_it(world: World) -> None:
    world.nodes[NODE].unreachable = [
        LoginRefusedError("SSH refuses user ops", code=Code.NODE_UNREACHABLE)
    ] * 99
    for _ in range(4):
        decision = world.admit()
        assert (decision.admission, decision.code) == (Admission.WAIT, Code.NODE_UNREACHABLE)
        assert world.progress().state is NodeState.WAITING
        world.clock.now += BORNE / 4
    assert world.admit().admission is Admission.HOLD
    assert world.progress().state is NodeState.HELD
    assert world.verbs() == []  # no lease was taken
    assert world.admit().admission is Admission.WAIT  # who clears it begins anew


def test_a_login_that_is_let_in_again_is_forgotten(world: World) -> None:
    world.nodes[NODE].unreachable = [LoginRefusedError("SSH refuses user ops")]
    assert world.admit().admission is Admission.WAIT
    world.clock.now += 2 * BORNE
    assert world.admit().admission is Admission.ADMIT
    assert world.facts().login_refused_at is None


def test_the_next_node_waits_until_one_that_was_given_back_has_served(make_world: MakeWorld) -> None:
    world = make_world(soak_seconds=600)
    world.run_up_to(Step.RELEASE)
    assert world.admit("node-02").code is Code.SOAKING
    world.clock.now += timedelta(seconds=600)
    assert world.admit("node-02").admission is Admission.ADMIT


def test_a_node_that_dies_while_it_soaks_lets_no_other_go(make_world: MakeWorld) -> None:
    world = make_world(soak_seconds=600, max_failed_nodes=3)
    world.run_up_to(Step.RELEASE)
    world.cloud.hosts[NODE].died_at = world.clock.now
    decision = world.admit("node-02")
    assert (decision.admission, decision.code) == (Admission.STOP, Code.SOAK_FAILED)
