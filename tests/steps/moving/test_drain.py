from __future__ import annotations

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_records import Fault
from tests.steps.fake_tenant import Act, Tenant
from tests.steps.worlds import NODE, World

from escalator.model.campaign import NodeState, Step
from escalator.model.cloud import MigrationStatus
from escalator.model.errors import ConflictError, InvalidRequestError, NotFoundError, TransientError
from escalator.model.step import Outcome
from escalator.model.verdict import Code

NAMES = ("a-web", "b-web", "off")


@pytest.fixture
def ready(world: World) -> World:
    world.boot("a-web")
    world.boot("b-web")
    world.boot("off", vm_state="stopped")
    world.run_up_to(Step.SWITCHOVER)
    return world


# the lease


def crowd(world: World) -> World:
    for number in range(20):
        world.boot(f"web-{number:02d}")
    world.boot("off", vm_state="stopped", memory_mib=9000)  # the first to go
    world.run_up_to(Step.SWITCHOVER)
    return world


@pytest.mark.parametrize("how", ["enables", "disables", "takes-over", "deletes"])
def test_a_node_that_is_taken_back_in_mid_drain_begins_nothing_more(make_world: MakeWorld, how: str) -> None:
    world = crowd(make_world())

    def take(method: str) -> None:
        if method == "fetch_migrations" and world.cloud.moves:
            world.cloud.before = None
            match how:
                case "enables":
                    world.cloud.person_enables(NODE)
                case "disables":
                    world.cloud.person_disables(NODE)
                case "takes-over":
                    world.cloud.person_disables(NODE, world.make_plan("another").lease(NODE).render())
                case "deletes":
                    world.cloud.errors["fetch_service"] = [
                        NotFoundError("no nova-compute service on host node-01")
                    ]

    world.cloud.before = take
    result = world.run(Step.MIGRATE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.LEASE_LOST)
    assert world.progress().state is NodeState.HELD
    begun = [w.subject for w in world.cloud.writes if w.verb in {"live", "cold"}]
    assert len(begun) == 8
    assert "off" in begun
    assert {m.server_id for m in world.moves() if m.succeeded} == set(begun)
    assert world.cloud.guests["off"].vm_state == "stopped"
    assert world.cloud.unfinished(NODE) == []
    assert {w.verb for w in world.cloud.writes if w.subject == NODE} == {"disable"}


@pytest.mark.parametrize("how", ["enables", "deletes"])
@pytest.mark.parametrize("looks", [0, 1])
def test_moves_of_a_killed_attempt_land_when_the_node_was_taken_back_meanwhile(
    ready: World, looks: int, how: str
) -> None:
    ready.kill(Step.MIGRATE, at=lambda method: method == "confirm_resize")
    seen: list[str] = []

    def take(method: str) -> None:
        if len(seen) == looks and how == "enables":
            ready.cloud.person_enables(NODE)
        if len(seen) == looks and how == "deletes":
            ready.cloud.errors["fetch_service"] = [NotFoundError("no nova-compute service on host node-01")]
        seen.append(method)

    ready.cloud.before = take
    result = ready.run(Step.MIGRATE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.LEASE_LOST)
    assert ready.cloud.guests["off"].vm_state == "stopped"
    assert ready.cloud.unfinished(NODE) == []
    assert {m.server_id for m in ready.moves() if m.succeeded} == set(NAMES)


def test_a_move_that_fails_after_the_node_was_taken_back_is_not_tried_again(ready: World) -> None:
    ready.cloud.guests["a-web"].fault = Fault.FAIL

    def take(method: str) -> None:
        if method == "fetch_migrations" and ready.cloud.moves:
            ready.cloud.before = None
            ready.cloud.person_enables(NODE)

    ready.cloud.before = take
    assert ready.run(Step.MIGRATE).code is Code.LEASE_LOST
    assert len(ready.cloud.requested("a-web")) == 1
    assert [m.succeeded for m in ready.moves() if m.server_id == "a-web"] == [False]


# servers that others act on


@pytest.mark.parametrize("number", range(3))
def test_a_server_that_is_deleted_in_flight_is_no_failure(ready: World, number: int) -> None:
    Tenant(world=ready, deeds=[(2, number, Act.DELETE)]).watch()
    result = ready.run(Step.MIGRATE)
    assert result.outcome is Outcome.OK
    gone = [m for m in ready.moves() if not m.succeeded]
    assert [(m.server_id, m.code) for m in gone] == [(NAMES[number], None)]
    assert "deleted" in gone[0].message


def test_a_server_that_others_moved_while_its_move_failed_is_left_alone(ready: World) -> None:
    ready.cloud.guests["a-web"].fault = Fault.FAIL

    def move(method: str) -> None:
        if method == "fetch_server":
            ready.cloud.guests["a-web"].host = "node-02"

    ready.cloud.before = move
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert len(ready.cloud.requested("a-web")) == 1
    assert [m.code for m in ready.moves() if m.server_id == "a-web"] == [None]


@pytest.mark.parametrize("name", ["a-web", "off"])
def test_a_request_that_met_its_server_elsewhere_comes_to_its_end_and_is_not_repeated(
    ready: World, name: str
) -> None:
    """Nova takes a request for a server whatever its host: nothing can be done in that moment."""
    guest = ready.cloud.guests[name]
    planned = next(m.destinations[0] for m in ready.drain_plan().moves if m.server_id == name)
    other = next(h for h in ("node-02", "node-03") if h != planned)

    def move(method: str) -> None:
        if method.startswith("start_"):
            guest.host = other

    ready.cloud.before = move
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert ready.cloud.requested(name) == [planned]
    assert (guest.host, guest.task_state) == (planned, None)
    assert guest.vm_state == ("stopped" if name == "off" else "active")
    assert {m.from_host for m in ready.moves() if m.server_id == name} == {other}


# Nova's own trouble


def test_completed_is_not_arrived_while_the_server_is_on_the_source(ready: World) -> None:
    ready.cloud.guests["a-web"].fault = Fault.HALF_LANDED
    began = ready.clock.now
    result = ready.run(Step.MIGRATE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.MIGRATION_HUNG)
    for words in ("migration-1", "completed", "still on node-01", "migrating", "Neutron", "do not reset"):
        assert words in result.message
    assert 30 < (ready.clock.now - began).total_seconds() < 120
    assert [m.succeeded for m in ready.moves() if m.server_id == "a-web"] == [False]
    assert result.details["moved"] == 2


def test_after_a_restart_both_records_are_named_as_well(ready: World) -> None:
    ready.cloud.guests["a-web"].fault = Fault.HALF_LANDED
    ready.kill(
        Step.MIGRATE,
        at=lambda _method: any(
            m.status is MigrationStatus.COMPLETED and m.guest.host == NODE for m in ready.cloud.moves
        ),
    )
    began = ready.clock.now
    result = ready.run(Step.MIGRATE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.MIGRATION_HUNG)
    for words in ("migration-1", "completed", "still on node-01", "migrating", "do not reset"):
        assert words in result.message
    assert 30 < (ready.clock.now - began).total_seconds() < 150
    assert [m.succeeded for m in ready.moves() if m.server_id == "a-web"] == [False]


def test_what_a_restart_finds_in_novas_queue_has_the_time_of_the_queue(ready: World) -> None:
    ready.kill(Step.MIGRATE, at=lambda method: method == "fetch_migrations" and ready.cloud.moves)
    began = ready.clock.now

    def queue(_method: str) -> None:
        if (ready.clock.now - began).total_seconds() < 100:
            for move in ready.cloud.moves:
                if move.type == "live-migration":
                    move.script = ["queued", "queued", "running", "completed"]

    ready.cloud.before = queue
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert "abort" not in ready.verbs()


def test_a_server_whose_record_is_ahead_of_it_has_time_to_follow(ready: World) -> None:
    guest = ready.cloud.guests["a-web"]
    guest.fault = Fault.HALF_LANDED
    began = ready.clock.now

    def follow(_method: str) -> None:
        done = [m for m in ready.cloud.moves if m.guest is guest and m.status is MigrationStatus.COMPLETED]
        if done and (ready.clock.now - began).total_seconds() > 20:
            guest.host, guest.task_state = done[0].dest, None

    ready.cloud.before = follow
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert len(ready.cloud.requested("a-web")) == 1


def test_a_server_that_is_moved_back_is_planned_anew(ready: World) -> None:
    guest = ready.cloud.guests["a-web"]
    backs = 0

    def back(method: str) -> None:
        nonlocal backs
        if method == "fetch_migrations" and guest.host != NODE and guest.task_state is None and not backs:
            backs = 1
            ready.cloud.begin_move(guest, "live-migration", NODE, ("running", "completed"))

    ready.cloud.before = back
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert ready.run(Step.UPGRADE).outcome is Outcome.OK
    assert guest.host != NODE


def test_a_server_that_our_move_put_into_error_is_named_with_its_remedy(ready: World) -> None:
    ready.cloud.guests["a-web"].fault = Fault.ERROR
    result = ready.run(Step.MIGRATE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.SERVER_ERROR)
    assert "server a-web" in result.message
    assert "its guest still runs on node-01" in result.message
    assert "openstack server set --state active a-web" in result.message
    assert len(ready.cloud.requested("a-web")) == 1, "no second controller is asked"
    ready.run(Step.RELEASE)
    assert not ready.enabled()
    decision = ready.admit("node-02")
    assert decision.code is Code.FAILURE_BUDGET


@pytest.mark.parametrize("error", [TransientError("HTTP 503"), InvalidRequestError("HTTP 400: not resized")])
def test_a_confirmation_that_goes_wrong_is_looked_at_and_asked_for_again(
    ready: World, error: Exception
) -> None:
    ready.cloud.errors["confirm_resize"] = [error]
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert ready.verbs().count("confirm") == 1
    assert ready.cloud.guests["off"].vm_state == "stopped"


def test_an_abort_that_gets_no_answer_is_asked_for_again(ready: World) -> None:
    web = ready.cloud.guests["a-web"]
    web.fault, web.faults_left = Fault.HANG, 1
    ready.cloud.errors["abort_migration"] = [TransientError("HTTP 504")] * 3
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert ready.verbs().count("abort") == 1


def test_an_abort_that_never_gets_an_answer_holds_the_node(ready: World) -> None:
    ready.cloud.guests["a-web"].fault = Fault.HANG
    ready.cloud.errors["abort_migration"] = [TransientError("HTTP 504")] * 999
    result = ready.run(Step.MIGRATE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.MIGRATION_HUNG)


def test_a_server_that_is_busy_without_a_record_is_never_asked_again(ready: World) -> None:
    """Nova took the request and lost it: the server is ``migrating``, and nothing migrates."""
    ready.cloud.guests["a-web"].fault = Fault.LOST
    result = ready.run(Step.MIGRATE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.MIGRATION_FAILED)
    assert "Nova has no record of it" in result.message
    began = ready.clock.now
    again = ready.run(Step.MIGRATE)
    assert (again.outcome, again.code) == (Outcome.HELD, Code.SERVER_BUSY)
    assert "migrating" in again.message
    assert (ready.clock.now - began).total_seconds() > 30
    assert len(ready.cloud.requested("a-web")) == 1


def test_a_confirmation_that_nova_never_takes_holds_the_node(ready: World) -> None:
    ready.cloud.errors["confirm_resize"] = [ConflictError("HTTP 409")] * 999
    result = ready.run(Step.MIGRATE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.MIGRATION_HUNG)
    assert "server off" in result.message
    assert "openstack server resize confirm" in result.message


def test_a_server_that_is_in_error_at_its_destination_is_named_too(ready: World) -> None:
    guest = ready.cloud.guests["a-web"]
    guest.fault = Fault.ERROR

    def follow(method: str) -> None:
        if method == "fetch_server":
            guest.host = ready.cloud.moves[0].dest

    ready.cloud.before = follow
    result = ready.run(Step.MIGRATE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.SERVER_ERROR)
    assert f"its guest still runs on {guest.host}" in result.message


# a node that is gone


def lose(world: World, *, for_seconds: float | None = None) -> None:
    """Let the node lose its power once servers fly; for a while, or for good."""
    host, began = world.cloud.hosts[NODE], world.clock.now

    def die(method: str) -> None:
        gone = (world.clock.now - began).total_seconds()
        if method == "fetch_migrations" and world.cloud.moves and host.died_at is None and not gone > 60:
            host.died_at = world.clock.now
        if for_seconds is not None and gone > for_seconds:
            host.died_at = None

    world.cloud.before = die


def test_a_node_that_is_lost_while_servers_leave_it_is_held_soon_and_names_all_who_are_on_it(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    world.asked["migration_timeout_seconds"] = 3600
    world.plan = world.make_plan("lost")
    world.open(world.plan)
    names = [f"web-{number:02d}" for number in range(10)]
    for name in names:
        world.boot(name).fault = Fault.HANG
    world.run_up_to(Step.SWITCHOVER)
    lose(world)
    began = world.clock.now
    result = world.run(Step.MIGRATE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.NODE_DOWN)
    assert (world.clock.now - began).total_seconds() < 600
    assert "nova-compute on node-01 sends no heartbeat" in result.message
    assert all(name in result.message for name in names)
    assert "openstack server evacuate" in result.message
    world.run(Step.RELEASE)
    assert not world.enabled()


def test_moves_that_fail_as_the_node_is_lost_do_not_hide_that_it_is(make_world: MakeWorld) -> None:
    world = make_world()
    for name in ("web-1", "web-2"):
        world.boot(name).fault = Fault.HANG
    world.run_up_to(Step.SWITCHOVER)
    lose(world)
    result = world.run(Step.MIGRATE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.NODE_DOWN)
    assert "took too long and was aborted" in result.message
    assert result.message.count("sends no heartbeat") == 1


def test_a_node_that_is_silent_for_a_moment_is_drained(ready: World) -> None:
    lose(ready, for_seconds=20)
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
