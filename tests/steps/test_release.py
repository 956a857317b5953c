from __future__ import annotations

from typing import Unpack

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_records import START, Write
from tests.steps.worlds import NODE, OLD, World

from escalator.model.campaign import NodeState, Step
from escalator.model.decisions import Admission
from escalator.model.errors import EscalatorError, NodeFaultError, TransientError
from escalator.model.lease import LeaseMark, LeasePhase
from escalator.model.node_facts import FactChanges, Proof
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.release import PROOF_HOLDS

TOUCHING: FactChanges = {"drain_started": START, "restarted_at": START, "upgrade_begun": START}
PROOF = Proof(version="34.0.0", at=START)


def stand(
    world: World,
    state: NodeState,
    phase: LeasePhase | None = None,
    **facts: Unpack[FactChanges],
) -> None:
    """Bring a leased node into a state of the ledger, and its lease into the phase that goes with it."""
    touched = LeasePhase.UPGRADING if facts.get("upgrade_begun") else LeasePhase.ADMITTED
    phase = phase or (LeasePhase.VERIFIED if state is NodeState.VERIFIED else touched)
    world.take(phase=phase)
    ctx = world.begin(Step.VERIFY)
    ctx.remember(**facts)
    ctx.progress(state, message="as it was")


def test_a_verified_node_is_given_back(world: World) -> None:
    stand(world, NodeState.VERIFIED, verified=PROOF, **TOUCHING)
    result = world.run(Step.RELEASE)
    assert result.outcome is Outcome.OK
    assert result.details["released_at"]
    assert world.enabled()
    assert world.progress().state is NodeState.RELEASED


def test_verified_without_its_proof_is_proved_anew_and_fails_when_it_is_not_good(world: World) -> None:
    stand(world, NodeState.VERIFIED, **TOUCHING)
    assert world.nodes[NODE].running == OLD
    assert world.run(Step.RELEASE).outcome is Outcome.FAILED
    assert not world.enabled()
    assert ":FAILED" in str(world.service().disabled_reason)


@pytest.mark.parametrize("state", [NodeState.ADMITTED, NodeState.CHECKED, NodeState.HELD, NodeState.SKIPPED])
def test_an_untouched_node_is_given_back(world: World, state: NodeState) -> None:
    stand(world, state)
    assert world.run(Step.RELEASE).outcome is Outcome.OK
    assert world.enabled()
    given_up = state in {NodeState.HELD, NodeState.SKIPPED}
    assert world.progress().state is (state if given_up else NodeState.HELD)


@pytest.mark.parametrize("state", [NodeState.ADMITTED, NodeState.CHECKED, NodeState.HELD, NodeState.FAILED])
@pytest.mark.parametrize("fact", TOUCHING)
def test_a_touched_node_stays_out_whatever_its_state(world: World, state: NodeState, fact: str) -> None:
    stand(world, state, **{fact: START})
    result = world.run(Step.RELEASE)
    assert result.outcome in {Outcome.HELD, Outcome.FAILED}
    assert not world.enabled()
    lease = world.service().lease
    assert lease is not None
    assert lease.mark is not None
    assert world.progress().mark is lease.mark


def test_old_software_is_held_and_new_is_failed(make_world: MakeWorld) -> None:
    marks = {}
    for fact in ("drain_started", "upgrade_begun"):
        world = make_world()
        stand(world, NodeState.EMPTY, **{fact: START})
        world.run(Step.RELEASE)
        marks[fact] = world.progress().mark
    assert marks == {"drain_started": LeaseMark.HELD, "upgrade_begun": LeaseMark.FAILED}


def test_the_reason_is_in_the_lease(world: World) -> None:
    stand(world, NodeState.MIGRATING, drain_started=START)
    world.begin(Step.MIGRATE).progress(NodeState.HELD, Code.MIGRATION_HUNG, "m" * 500)
    world.run(Step.RELEASE)
    reason = str(world.service().disabled_reason)
    assert f"[{Code.MIGRATION_HUNG}] mmm" in reason
    assert len(reason) <= 255


@pytest.mark.parametrize("state", [NodeState.ADMITTED, NodeState.EMPTY, NodeState.VERIFIED])
@pytest.mark.parametrize("reason", ["broken fan", None, "AUTO: failed builds"])
def test_what_a_person_disabled_is_never_written(world: World, state: NodeState, reason: str | None) -> None:
    stand(world, state, verified=PROOF)
    world.cloud.person_disables(NODE, reason)
    world.run(Step.RELEASE)
    assert world.cloud.writes == []
    assert world.service().disabled_reason == reason
    assert not world.enabled()


def test_another_runs_lease_is_left_alone(world: World) -> None:
    stand(world, NodeState.VERIFIED, verified=PROOF)
    other = world.make_plan("another").lease(NODE)
    world.cloud.person_disables(NODE, other.render())
    result = world.run(Step.RELEASE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.LEASE_LOST)
    assert world.service().lease == other


@pytest.mark.parametrize("state", list(NodeState))
@pytest.mark.parametrize("fact", [None, "upgrade_begun"])
def test_twice_is_as_good_as_once(world: World, state: NodeState, fact: str | None) -> None:
    stand(world, state, verified=PROOF, **({fact: START} if fact else {}))
    world.run(Step.RELEASE)
    once = (world.service(), world.progress(), len(world.cloud.writes))
    world.run(Step.RELEASE)
    assert (world.service(), world.progress(), len(world.cloud.writes)) == once


def test_a_superseded_release_writes_nothing(world: World) -> None:
    stand(world, NodeState.VERIFIED, verified=PROOF)

    def newer(_method: str) -> None:
        world.cloud.before = None
        world.begin(Step.RELEASE)

    world.cloud.before = newer
    with pytest.raises(Exception, match="superseded"):
        world.run(Step.RELEASE)
    assert world.cloud.writes == []


@pytest.mark.parametrize("phase", [LeasePhase.DRAINING, LeasePhase.UPGRADING, LeasePhase.VERIFIED])
@pytest.mark.parametrize("state", [NodeState.ADMITTED, NodeState.CHECKED, NodeState.HELD, NodeState.SKIPPED])
def test_a_lease_that_says_more_than_the_ledger_keeps_the_node_out(
    world: World, phase: LeasePhase, state: NodeState
) -> None:
    stand(world, state, phase)
    world.run(Step.RELEASE)
    assert not world.enabled()
    assert world.progress().mark is not None


@pytest.mark.parametrize("phase", [LeasePhase.ADMITTED, LeasePhase.DRAINING, LeasePhase.UPGRADING])
def test_a_ledger_that_says_more_than_the_lease_keeps_the_node_out(world: World, phase: LeasePhase) -> None:
    stand(world, NodeState.VERIFIED, phase, verified=PROOF, **TOUCHING)
    world.run(Step.RELEASE)
    assert not world.enabled()
    assert (world.progress().state, world.progress().mark) == (NodeState.FAILED, LeaseMark.FAILED)


def test_words_that_a_person_adds_keep_the_node_out(world: World) -> None:
    stand(world, NodeState.VERIFIED, verified=PROOF)
    reason = f"{world.service().disabled_reason} - do not enable, Ann"
    world.cloud.person_disables(NODE, reason)
    result = world.run(Step.RELEASE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.LEASE_LOST)
    assert "do not enable, Ann" in result.message
    assert (world.service().disabled_reason, world.cloud.writes) == (reason, [])


def verified_node(world: World) -> None:
    """Upgrade and verify the node."""
    world.run_up_to(Step.VERIFY)
    assert world.progress().state is NodeState.VERIFIED


def test_a_proof_of_long_ago_is_made_anew(world: World) -> None:
    verified_node(world)
    canaries = world.verbs().count("canary")
    world.clock.sleep(PROOF_HOLDS.total_seconds() + 1)
    assert world.run(Step.RELEASE).outcome is Outcome.OK
    assert world.verbs().count("canary") == canaries + 1
    assert world.enabled()


@pytest.mark.parametrize("later", [0, PROOF_HOLDS.total_seconds() + 1])
def test_a_service_that_is_down_now_is_not_given_to_tenants(world: World, later: float) -> None:
    verified_node(world)
    world.cloud.hosts[NODE].died_at = world.clock.now
    world.clock.sleep(later)
    result = world.run(Step.RELEASE)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.SERVICE_NOT_UP)
    assert f":UPGRADING:FAILED [{Code.SERVICE_NOT_UP}]" in str(world.service().disabled_reason)
    assert not world.enabled()


def test_a_node_that_cannot_be_proved_anew_for_another_reason_fails(world: World) -> None:
    verified_node(world)
    world.clock.sleep(PROOF_HOLDS.total_seconds() + 1)
    world.nodes[NODE].unreachable = [NodeFaultError("host key changed", code=Code.NODE_UNREACHABLE)]
    result = world.run(Step.RELEASE)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.NODE_UNREACHABLE)
    assert not world.enabled()


def test_a_node_that_was_upgraded_and_taken_before_it_was_proved_is_shouted_about(world: World) -> None:
    world.run_up_to(Step.UPGRADE)
    world.cloud.person_enables(NODE)
    result = world.run(Step.VERIFY)
    assert result.code is Code.LEASE_LOST
    result = world.run(Step.RELEASE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.LEASE_LOST)
    assert "somebody enabled it; it was upgraded to 34.0.0 AND NEVER VERIFIED" in result.message
    assert world.progress().message == result.message


def test_a_release_that_was_killed_after_it_enabled_the_node_is_no_lost_lease(world: World) -> None:
    world.admit()
    world.cloud.audit = kill_after_enabling
    with pytest.raises(TransientError):
        world.run(Step.RELEASE)
    world.cloud.person_enables(NODE)  # what Nova had done before its answer was lost
    world.cloud.audit = None
    assert world.run(Step.RELEASE).outcome is Outcome.SKIPPED
    assert (world.progress().state, world.progress().code) == (NodeState.HELD, Code.CUT_OFF)


@pytest.mark.parametrize("trouble", [NodeFaultError("member m of pool p is in ERROR"), TransientError("503")])
def test_a_node_is_released_whatever_its_load_balancer_says(
    world: World, monkeypatch: pytest.MonkeyPatch, trouble: EscalatorError
) -> None:
    def broken(_: object) -> tuple[str, ...]:
        raise trouble

    verified_node(world)
    monkeypatch.setattr("escalator.steps.release.restore_services", broken)
    if isinstance(trouble, TransientError):
        with pytest.raises(TransientError):
            world.run(Step.RELEASE)
    else:
        assert f"not restored: {trouble}" in world.run(Step.RELEASE).message
    assert world.enabled()
    decision = world.admit("node-02")
    assert (world.progress().state, decision.admission) == (NodeState.RELEASED, Admission.ADMIT), decision


def kill_after_enabling(write: Write) -> None:
    if write.verb == "enable":
        raise TransientError("503")


@pytest.mark.parametrize("state", [NodeState.ADMITTED, NodeState.MIGRATING])
def test_a_node_that_a_person_enabled_is_a_lost_lease(world: World, state: NodeState) -> None:
    world.admit()
    world.run(Step.RELEASE)
    world.clock.sleep(60)
    world.admit()
    world.begin(Step.MIGRATE).progress(state)
    world.cloud.person_enables(NODE)
    assert world.run(Step.RELEASE).code is Code.LEASE_LOST


def test_a_proof_that_its_lease_does_not_say_is_named_as_the_reason(world: World) -> None:
    stand(world, NodeState.VERIFIED, LeasePhase.UPGRADING, verified=PROOF, **TOUCHING)
    world.run(Step.RELEASE)
    assert world.progress().code is Code.NOT_VERIFIED
    assert world.progress().message == "the ledger says that it was verified, but its lease says UPGRADING"
