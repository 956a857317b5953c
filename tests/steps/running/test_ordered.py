"""Orders of persons: what the steps of a node make of them, wherever they are killed."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.steps.conftest import MakeWorld
from tests.steps.drawn import draw
from tests.steps.fake_records import KilledError
from tests.steps.worlds import NEW, NODE, OLD, World

from escalator.model.campaign import NodeState, Step
from escalator.model.cloud import MigrationStatus
from escalator.model.decisions import Admission
from escalator.model.errors import EscalatorError
from escalator.model.lease import LeaseMark
from escalator.model.order import Verb
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.moving.pace import DrainPace

some = draw(16)
WORK = [s for s in Step if s not in {Step.ADMIT, Step.RELEASE}]


def effective(world: World) -> list[bool]:
    return [order.effective_at is not None for order in world.recorded.orders().read()]


def test_a_paused_campaign_admits_no_node_until_resume(world: World) -> None:
    world.order(Verb.PAUSE)
    decision = world.admit()
    assert (decision.admission, decision.code) == (Admission.WAIT, Code.ORDER_PAUSE)
    assert (world.enabled(), world.progress().state) == (True, NodeState.WAITING)
    world.order(Verb.RESUME)
    assert world.admit().admission is Admission.ADMIT


def test_a_node_in_flight_finishes_while_the_campaign_is_paused(world: World) -> None:
    world.boot("web")
    world.run_up_to(Step.PRECHECK)
    world.order(Verb.PAUSE)
    assert world.admit().admission is Admission.ADMIT
    for step in WORK[1:]:
        assert world.run(step).outcome is Outcome.OK
    world.run(Step.RELEASE)
    assert (world.enabled(), world.progress().state) == (True, NodeState.RELEASED)
    assert world.admit("node-02").admission is Admission.WAIT


def test_a_stopped_campaign_admits_none_any_more_and_says_so(world: World) -> None:
    world.order(Verb.STOP)
    decision = world.admit()
    assert (decision.admission, decision.code) == (Admission.STOP, Code.ORDER_STOP)
    assert world.progress().stopped
    assert world.verbs() == []


@pytest.mark.parametrize(
    ("verb", "admission", "state"),
    [
        (Verb.SKIP, Admission.SKIP, NodeState.SKIPPED),
        (Verb.HOLD, Admission.HOLD, NodeState.HELD),
    ],
)
def test_a_node_that_waits_is_left_out_alone(
    world: World, verb: Verb, admission: Admission, state: NodeState
) -> None:
    world.order(verb, NODE)
    assert world.admit().admission is admission
    assert (world.progress().state, world.enabled()) == (state, True)
    assert world.admit().admission is admission, "for the rest of the run"
    assert world.admit("node-02").admission is Admission.ADMIT


def test_an_order_between_the_look_and_the_lease_keeps_the_node_in(world: World) -> None:
    """What was decided a moment ago is not what counts: nothing is claimed against an order."""

    def before(method: str) -> None:
        if method == "fetch_service":
            world.cloud.before = None
            world.order(Verb.PAUSE)

    world.cloud.before = before
    decision = world.admit()
    assert (decision.admission, decision.code) == (Admission.WAIT, Code.ORDER_PAUSE)
    assert (world.verbs(), world.facts().claim) == ([], None)


def test_a_node_that_was_claimed_and_waits_after_all_is_not_in_flight(world: World) -> None:
    world.admit("node-02")
    world.cloud.before = None
    assert world.admit().admission is Admission.WAIT
    assert world.facts().claim is None
    assert world.facts("node-02").claim is not None


@pytest.mark.parametrize("step", [Step.PRECHECK, Step.SWITCHOVER, Step.MIGRATE])
def test_a_hold_before_a_server_moved_gives_the_node_back_as_it_was(world: World, step: Step) -> None:
    world.boot("web")
    world.run_up_to(WORK[WORK.index(step) - 1]) if step is not Step.PRECHECK else world.admit()
    world.order(Verb.HOLD, NODE)
    assert effective(world) == [False]
    result = world.run(step)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.ORDER_HOLD)
    assert effective(world) == [True]
    world.run(Step.RELEASE)
    assert (world.enabled(), world.progress().state) == (True, NodeState.HELD)
    assert world.progress().code is Code.ORDER_HOLD
    assert world.cloud.guests["web"].host == NODE
    assert world.admit().admission is Admission.ADMIT, "who clears it wants it to go again"
    assert world.run(Step.PRECHECK).outcome is Outcome.OK


def test_a_hold_while_servers_move_lets_those_land_and_keeps_the_lease(world: World) -> None:
    number_of = DrainPace().at_once + 2
    for number in range(number_of):
        world.boot(f"web-{number}")
    world.run_up_to(Step.SWITCHOVER)

    def before(method: str) -> None:
        if method == "fetch_migrations" and world.cloud.unfinished(NODE):
            world.cloud.before = None
            world.order(Verb.HOLD, NODE)

    world.cloud.before = before
    result = world.run(Step.MIGRATE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.ORDER_HOLD)
    assert not world.cloud.unfinished(NODE)
    left = [g for g in world.cloud.guests.values() if g.host == NODE]
    assert 0 < len(left) < number_of
    assert all(g.task_state is None for g in left)
    assert "abort" not in world.verbs()
    world.run(Step.RELEASE)
    assert (world.holds_lease(), world.progress().mark) == (True, LeaseMark.HELD)
    assert world.nodes[NODE].running == OLD


def test_a_hold_after_the_last_moment_takes_a_proved_node_out_of_the_return(world: World) -> None:
    """Half an upgrade is no safe point: the node is brought to its end, and is not given to tenants."""
    world.run_up_to(Step.UPGRADE)
    world.order(Verb.HOLD, NODE)
    assert world.run(Step.VERIFY).outcome is Outcome.OK
    result = world.run(Step.RELEASE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.ORDER_HOLD)
    once = (world.service().disabled_reason, world.progress(), effective(world))
    assert (world.progress().state, world.progress().mark) == (NodeState.HELD, LeaseMark.HELD)
    world.run(Step.RELEASE)
    assert once == (world.service().disabled_reason, world.progress(), [True])
    assert world.admit().admission is Admission.ADMIT
    for step in WORK:
        assert world.run(step).outcome is Outcome.OK
    world.run(Step.RELEASE)
    assert (world.enabled(), world.nodes[NODE].running) == (True, NEW)


def abort_while_moving(world: World) -> None:
    world.boot("web-0")
    world.boot("off", vm_state="stopped")
    world.run_up_to(Step.SWITCHOVER)

    def before(method: str) -> None:
        if method == "fetch_migrations" and world.progress().state is NodeState.MIGRATING:
            world.cloud.before = None
            if world.cloud.unfinished(NODE):
                world.order(Verb.ABORT_MOVES, NODE)

    world.cloud.before = before


def test_moves_that_are_ordered_to_end_are_aborted_and_cold_ones_land(world: World) -> None:
    abort_while_moving(world)
    result = world.run(Step.MIGRATE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.ORDER_ABORT_MOVES)
    assert world.verbs().count("abort") == 1
    record = next(move for move in world.moves() if move.server_id == "web-0")
    assert (record.succeeded, record.code) == (False, Code.ORDER_ABORT_MOVES)
    assert "as a person ordered" in record.message
    assert world.cloud.guests["web-0"].host == NODE
    assert world.verbs().count("live") == 1, "tried nowhere else"
    assert not [m for m in world.cloud.moves if m.status is MigrationStatus.FINISHED]
    assert effective(world) == [True]
    world.run(Step.RELEASE)
    assert world.progress().mark is LeaseMark.HELD


@some
@given(verb=st.sampled_from([Verb.HOLD, Verb.ABORT_MOVES]), at=st.integers(0, 25))
def test_killed_anywhere_the_order_takes_effect_all_the_same_and_once(
    make_world: MakeWorld, verb: Verb, at: int
) -> None:
    world = make_world()
    abort_while_moving(world)
    hook = world.cloud.before
    world.fuse.left = at
    with suppress(KilledError):
        world.run(Step.MIGRATE)
    world.fuse.left = None
    if world.progress().state is NodeState.MIGRATING and not world.recorded.orders().read():
        world.cloud.before = None
        world.order(verb, NODE)
    elif world.progress().state is not NodeState.MIGRATING and not world.recorded.orders().read():
        world.cloud.before = hook
    result = world.run(Step.MIGRATE)
    ordered = world.recorded.orders().read()
    if not ordered:
        return
    assert (result.outcome, len(ordered), effective(world)) == (Outcome.HELD, 1, [True])
    asked = len(world.cloud.writes)
    assert world.run(Step.MIGRATE).outcome is Outcome.HELD, "once more, as after a lost worker"
    assert not [w for w in world.cloud.writes[asked:] if w.verb in {"live", "cold", "abort"}]
    world.run(Step.RELEASE)
    assert world.progress().state is NodeState.HELD
    assert not world.cloud.unfinished(NODE)


@some
@given(
    verb=st.sampled_from([Verb.PAUSE, Verb.STOP, Verb.SKIP, Verb.HOLD]),
    at=st.integers(0, 40),
    kills=st.lists(st.integers(0, 12), max_size=3),
)
def test_no_node_is_admitted_after_an_order_that_keeps_it_in(
    make_world: MakeWorld, verb: Verb, at: int, kills: list[int]
) -> None:
    """Whenever it is ordered, and wherever admit is killed: a lease is taken before it or not at all."""
    world, calls = make_world(), 0

    def before(_method: str) -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            with suppress(EscalatorError):
                world.order(verb, NODE if verb in {Verb.SKIP, Verb.HOLD} else None)

    world.cloud.before = before
    for left in (*kills, None):
        world.fuse.left = left
        with suppress(KilledError):
            world.admit()
    world.fuse.left = None
    ordered = [order for order in world.recorded.orders().read() if not order.in_flight]
    if ordered and not world.enabled():
        assert (world.facts().claim or 0) < ordered[0].id, "claimed before, and so in flight"
        assert world.admit().admission is Admission.ADMIT
    elif ordered:
        assert world.admit().admission is not Admission.ADMIT
