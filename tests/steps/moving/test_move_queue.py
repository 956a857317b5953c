from __future__ import annotations

from datetime import timedelta

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_records import Fault
from tests.steps.fake_tenant import Act, Tenant
from tests.steps.worlds import NODE, QuickLedger, World

from escalator.model.campaign import Step
from escalator.model.cloud import MigrationStatus
from escalator.model.errors import ConflictError, InvalidRequestError, RateLimitedError, TransientError
from escalator.model.step import Outcome
from escalator.model.verdict import Code

ROUND = [f"web-{n:02d}" for n in range(10)]
"""More servers than move at once."""


@pytest.fixture
def ready(world: World) -> World:
    for name in ROUND:
        world.boot(name)
    world.run_up_to(Step.SWITCHOVER)
    return world


@pytest.mark.parametrize("deed", [Act.DELETE, Act.LIVE_MIGRATE, Act.SHELVE, Act.RESIZE])
def test_a_waiting_server_that_is_not_here_any_more_is_left_alone(ready: World, deed: Act) -> None:
    last = ready.drain_plan().moves[-1].server_id
    tenant = Tenant(world=ready, deeds=[(1, ROUND.index(last), deed)], takes=timedelta(seconds=1))
    tenant.watch()
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert tenant.away == {last}
    assert ready.cloud.requested(last) == []
    assert all(move.succeeded for move in ready.moves())
    assert len(ready.moves()) == len(ROUND) - 1


def test_what_somebody_moved_before_the_drain_is_not_moved_again(ready: World) -> None:
    ready.cloud.guests["web-00"].host = "node-02"
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert ready.cloud.requested("web-00") == []
    assert ready.cloud.guests["web-00"].host == "node-02"


def test_one_look_serves_all_requests_of_a_moment(ready: World) -> None:
    ready.run(Step.MIGRATE)
    assert ready.cloud.counter.by_label["fetch_servers"] <= 8
    assert ready.cloud.counter.by_label.get("fetch_server", 0) == 0


def test_the_others_move_while_one_is_busy(ready: World) -> None:
    busy = ready.cloud.guests["web-00"]
    busy.task_state = "image_snapshot"

    def rest(_method: str) -> None:
        if all(g.host != NODE for g in ready.cloud.guests.values() if g is not busy):
            busy.task_state = None

    ready.cloud.before = rest
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert [w.subject for w in ready.cloud.writes if w.verb == "live"][-1] == "web-00"


def test_a_server_that_stays_busy_holds_the_node_and_is_named_with_its_task(ready: World) -> None:
    ready.cloud.guests["web-00"].task_state = "image_backup"
    began = ready.clock.now
    result = ready.run(Step.MIGRATE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.SERVER_BUSY)
    assert "server web-00" in result.message
    assert "image_backup" in result.message
    assert [g.id for g in ready.cloud.guests.values() if g.host == NODE] == ["web-00"]
    assert 30 < (ready.clock.now - began).total_seconds() < 120


@pytest.mark.parametrize(("state", "task"), [("building", "spawning"), ("rescued", "unrescuing")])
def test_a_server_that_cannot_be_planned_yet_is_waited_for(world: World, state: str, task: str) -> None:
    guest = world.boot("late", vm_state=state, task_state=task)
    world.run_up_to(Step.SWITCHOVER)
    began = world.clock.now

    def rest(_method: str) -> None:
        if (world.clock.now - began).total_seconds() > 20:
            guest.vm_state, guest.task_state = "active", None

    world.cloud.before = rest
    assert world.run(Step.MIGRATE).outcome is Outcome.OK
    assert guest.host != NODE


def test_a_refusal_in_the_moment_after_the_look_is_looked_at_again(ready: World) -> None:
    ready.cloud.errors["start_live_migration"] = [ConflictError("HTTP 409: it is rebooting")]
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK


def test_a_server_that_nova_always_refuses_holds_the_node_in_novas_words(ready: World) -> None:
    ready.cloud.guests["web-00"].fault = Fault.REFUSE
    result = ready.run(Step.MIGRATE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.MIGRATION_FAILED)
    assert "HTTP 409" in result.message


def test_a_limit_of_calls_is_waited_for_and_nothing_is_asked_before(ready: World) -> None:
    limited = RateLimitedError("HTTP 429", retry_after_seconds=45.0)
    ready.cloud.errors["start_live_migration"] = [limited]
    asked: list[float] = []

    def note(method: str) -> None:
        if method == "start_live_migration":
            asked.append((ready.clock.now - began).total_seconds())

    began, ready.cloud.before = ready.clock.now, note
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert asked[0] == 0
    assert 45 <= asked[1] < 60
    assert all(len(ready.cloud.requested(name)) == 1 for name in ROUND)


@pytest.mark.parametrize("arrived", [True, False])
def test_a_request_whose_answer_is_lost_is_looked_for_first(ready: World, *, arrived: bool) -> None:
    start = type(ready.cloud).start_live_migration
    asked = 0

    def lose(method: str) -> None:
        nonlocal asked
        if method == "start_live_migration":
            asked += 1
            if asked == 1:
                ready.cloud.before = None
                if arrived:
                    start(ready.cloud, "web-00", "node-02")
                ready.cloud.before = lose
                raise TransientError("connection reset")

    ready.cloud.before = lose
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert all(len(ready.cloud.requested(name)) == 1 for name in ROUND)
    assert all(move.succeeded for move in ready.moves())


def test_a_cloud_that_takes_no_request_for_long_is_another_try(ready: World) -> None:
    ready.cloud.errors["start_live_migration"] = [TransientError("HTTP 503")] * 99
    began = ready.clock.now
    with pytest.raises(TransientError):
        ready.run(Step.MIGRATE)
    assert (ready.clock.now - began).total_seconds() > 600
    ready.cloud.errors.clear()
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert all(len(ready.cloud.requested(name)) == 1 for name in ROUND)


def test_a_cloud_that_is_away_for_five_minutes_ends_no_drain(ready: World) -> None:
    calls = 0

    def refuse(_method: str) -> None:
        nonlocal calls
        calls += 1
        if calls > 12 and ready.clock.now < began + timedelta(minutes=5):
            raise TransientError("HTTP 503")

    began, ready.cloud.before = ready.clock.now, refuse
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert all(len(ready.cloud.requested(name)) == 1 for name in ROUND)


def test_a_busy_server_that_is_alone_is_looked_at_again(world: World) -> None:
    guest = world.boot("web", task_state="image_snapshot")
    world.run_up_to(Step.SWITCHOVER)
    began = world.clock.now

    def rest(_method: str) -> None:
        if (world.clock.now - began).total_seconds() > 20:
            guest.task_state = None

    world.cloud.before = rest
    assert world.run(Step.MIGRATE).outcome is Outcome.OK
    assert (world.clock.now - began).total_seconds() < 60


def test_a_server_that_its_owner_starts_meanwhile_is_not_stopped_by_its_move(world: World) -> None:
    guest = world.boot("off", vm_state="stopped")
    world.run_up_to(Step.SWITCHOVER)
    assert [str(m.method) for m in world.drain_plan().moves] == ["cold"]
    guest.vm_state = "active"
    assert world.run(Step.MIGRATE).outcome is Outcome.OK
    assert [w.verb for w in world.cloud.writes if w.subject == "off"] == ["live"]


# requests that take long


def test_a_server_that_leaves_while_others_are_asked_for_is_left_alone(ready: World) -> None:
    last = ready.drain_plan().moves[7].server_id

    def take_long(method: str) -> None:
        if method == "start_live_migration":
            ready.clock.sleep(5)
            ready.cloud.guests[last].host = "node-02"

    ready.cloud.before = take_long
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert ready.cloud.requested(last) == []


def test_a_node_that_is_taken_back_while_servers_are_asked_for_begins_no_further(ready: World) -> None:
    def take_long(method: str) -> None:
        if method == "start_live_migration":
            ready.clock.sleep(5)
            ready.cloud.person_enables(NODE)

    ready.cloud.before = take_long
    assert ready.run(Step.MIGRATE).code is Code.LEASE_LOST
    assert ready.verbs().count("live") == 1


def test_two_lost_answers_far_apart_are_no_lasting_trouble(make_world: MakeWorld) -> None:
    world = make_world(migration_timeout_seconds=3600)
    start = type(world.cloud).start_live_migration
    world.boot("a-web")
    busy = world.boot("b-web")
    world.run_up_to(Step.SWITCHOVER)
    busy.task_state = "image_backup"
    lost: list[str] = []

    def act(method: str) -> None:
        if (world.clock.now - began).total_seconds() > 1000:
            busy.task_state = busy.task_state if busy.task_state == "migrating" else None
        if method == "start_live_migration":
            world.cloud.before = None
            lost.append(method)
            name = "a-web" if len(lost) == 1 else "b-web"
            start(world.cloud, name, "node-02")
            world.cloud.before = act
            raise TransientError("HTTP 504")

    began, world.cloud.before = world.clock.now, act
    assert world.run(Step.MIGRATE).outcome is Outcome.OK
    assert len(lost) == 2


def test_what_nova_refuses_as_the_server_is_there_already_holds_nobody(ledger: QuickLedger) -> None:
    world = World(ledger=ledger, hosts=(NODE, "node-02"))
    guest = world.boot("off", vm_state="stopped")
    world.run_up_to(Step.SWITCHOVER)

    def move(method: str) -> None:
        if method == "start_cold_migration":
            guest.host = "node-02"
            raise InvalidRequestError("HTTP 400: cannot migrate to the host where the server exists")

    world.cloud.before = move
    assert world.run(Step.MIGRATE).outcome is Outcome.OK
    assert [(m.code, m.succeeded) for m in world.moves()] == [(None, False)]


# moves of others that went wrong


def test_a_failed_move_of_somebody_else_is_not_taken_for_ours(world: World) -> None:
    guest = world.boot("off", vm_state="stopped")
    world.run_up_to(Step.SWITCHOVER)
    world.cloud.begin_move(guest, "migration", "node-03", ("migrating", "error"))
    while guest.task_state is not None:
        world.cloud.fetch_migrations()
    assert world.run(Step.MIGRATE).outcome is Outcome.OK
    assert (len(world.cloud.requested("off")), guest.vm_state) == (1, "stopped")


def test_a_move_of_somebody_else_that_fails_while_we_wait_for_it_is_not_taken_for_ours(world: World) -> None:
    guest = world.boot("off", vm_state="stopped")
    world.run_up_to(Step.SWITCHOVER)
    world.cloud.begin_move(guest, "migration", "node-03", ())
    began = world.clock.now

    def fail(_method: str) -> None:
        (move, *ours) = world.cloud.moves
        if not ours and (world.clock.now - began).total_seconds() > 10:
            move.visible, move.status, guest.task_state = True, MigrationStatus.ERROR, None

    world.cloud.before = fail
    assert world.run(Step.MIGRATE).outcome is Outcome.OK
    assert (len(world.cloud.requested("off")), guest.vm_state) == (1, "stopped")
