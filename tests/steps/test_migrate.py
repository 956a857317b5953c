from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_records import Fault, KilledError
from tests.steps.worlds import NODE, QuickLedger, World

from escalator.model.campaign import NodeState, OnSlowMove, Step
from escalator.model.errors import ConflictError, SupersededError
from escalator.model.lease import LeaseMark
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.migrate import FIRST_GUESS
from escalator.steps.moving.pace import DrainPace


def loaded(world: World) -> World:
    """Bring a node with a server in each state that moves before its drain."""
    world.boot("web")
    world.boot("paused", vm_state="paused")
    world.boot("off", vm_state="stopped")
    world.boot("peer", "node-02")
    world.run_up_to(Step.SWITCHOVER)
    return world


@pytest.fixture
def ready(world: World) -> World:
    return loaded(world)


def test_every_server_leaves_in_the_state_it_had(ready: World) -> None:
    result = ready.run(Step.MIGRATE)
    assert (result.outcome, result.details["moved"]) == (Outcome.OK, 3)
    assert all(g.host != NODE and g.task_state is None for g in ready.cloud.guests.values())
    states = {g.id: g.vm_state for g in ready.cloud.guests.values()}
    assert states == {"web": "active", "paused": "paused", "off": "stopped", "peer": "active"}
    assert {m.server_id: str(m.method) for m in ready.moves()} == {
        "web": "live",
        "paused": "live",
        "off": "cold",
    }
    assert ready.progress().state is NodeState.EMPTY


def test_a_confirmation_that_comes_too_early_is_asked_for_again(ready: World) -> None:
    refused = Counter[str]()

    def count(method: str) -> None:
        refused[method] += method == "confirm_resize" and ready.cloud.guests["off"].vm_state != "resized"

    ready.cloud.before = count
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert refused["confirm_resize"] == 1
    assert ready.verbs().count("confirm") == 1


def test_one_poll_serves_all_flights(ready: World) -> None:
    ready.run(Step.MIGRATE)
    calls = ready.cloud.counter.by_label
    moves = calls["start_live_migration"] + calls["start_cold_migration"]
    assert moves == 3
    assert calls["fetch_migrations"] <= 2 * moves + 3


def test_not_more_than_the_pace_allows_fly_at_once(world: World) -> None:
    for number in range(DrainPace().at_once + 3):
        world.boot(f"web-{number}")
    world.run_up_to(Step.SWITCHOVER)
    most = 0

    def look(_method: str) -> None:
        nonlocal most
        most = max(most, len(world.cloud.unfinished(NODE)))

    world.cloud.before = look
    assert world.run(Step.MIGRATE).outcome is Outcome.OK
    assert most == DrainPace().at_once


@pytest.mark.parametrize("fault", [Fault.FAIL, Fault.PRECHECK_FAIL])
def test_a_move_that_fails_once_is_tried_elsewhere(ready: World, fault: Fault) -> None:
    web = ready.cloud.guests["web"]
    web.fault, web.faults_left = fault, 1
    destinations = next(list(m.destinations) for m in ready.drain_plan().moves if m.server_id == "web")
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert ready.cloud.requested("web") == destinations[:2]
    assert [m.succeeded for m in ready.moves() if m.server_id == "web"] == [False, True]


def test_a_server_that_its_owner_stops_meanwhile_is_moved_as_it_is_now(ready: World) -> None:
    ready.cloud.guests["web"].vm_state = "stopped"
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert {str(m.method) for m in ready.moves() if m.server_id == "web"} == {"cold"}
    assert ready.cloud.guests["web"].vm_state == "stopped"


@pytest.mark.parametrize("fault", [f for f in Fault if f is not Fault.NONE])
def test_a_move_that_always_fails_holds_the_node_and_loses_nothing(ready: World, fault: Fault) -> None:
    ready.cloud.guests["web"].fault = fault
    result = ready.run(Step.MIGRATE)
    assert result.outcome is Outcome.HELD
    assert result.code in {Code.MIGRATION_FAILED, Code.MIGRATION_HUNG, Code.SERVER_ERROR}
    assert "server web" in result.message
    assert " -> " in result.message
    assert ready.cloud.guests["web"].host == NODE
    assert {ready.cloud.guests[name].host for name in ("paused", "off")} <= {"node-02", "node-03"}
    assert ready.progress().state is NodeState.HELD
    ready.run(Step.RELEASE)
    assert ready.progress().mark is LeaseMark.HELD
    assert not ready.enabled()


def test_a_hung_migration_is_aborted_and_tried_elsewhere(ready: World) -> None:
    web = ready.cloud.guests["web"]
    web.fault, web.faults_left = Fault.HANG, 1
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert ready.verbs().count("abort") == 1
    assert [m.code for m in ready.moves() if m.server_id == "web"] == [Code.MIGRATION_HUNG, None]
    assert len(set(ready.cloud.requested("web"))) == 2


def test_nothing_more_starts_on_a_held_node_and_what_flies_lands(ledger: QuickLedger) -> None:
    world = World(ledger=ledger, hosts=(NODE, "node-02"))  # no second destination
    world.boot("a-huge", memory_mib=8192, fault=Fault.FAIL)
    for number in range(40):
        world.boot(f"web-{number:02d}")
    world.run_up_to(Step.SWITCHOVER)
    assert world.run(Step.MIGRATE).outcome is Outcome.HELD
    assert world.cloud.unfinished(NODE) == []
    assert len([g for g in world.cloud.guests.values() if g.host == NODE]) > 20


def test_a_server_that_its_owner_deletes_is_no_trouble(ready: World) -> None:
    def delete(method: str) -> None:
        if method == "start_live_migration":
            ready.cloud.before = None
            del ready.cloud.guests["web"]

    ready.cloud.before = delete
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert {m.server_id for m in ready.moves()} <= {"paused", "off"}


def test_a_server_that_appears_late_is_moved_before_the_upgrade(ready: World) -> None:
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    ready.boot("late")
    assert ready.run(Step.UPGRADE).outcome is Outcome.OK
    assert len(ready.cloud.requested("late")) == 1
    assert (ready.cloud.guests["late"].host != NODE, ready.nodes[NODE].switched) == (True, 1)


def test_servers_that_never_stop_coming_hold_the_node(ready: World) -> None:
    def come(method: str) -> None:
        if method == "fetch_servers":
            ready.boot(f"late-{len(ready.cloud.guests)}")

    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    ready.cloud.before = come
    result = ready.run(Step.UPGRADE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.NODE_NOT_EMPTY)
    assert "late-" in result.message
    assert ready.nodes[NODE].switched == 0
    assert ready.cloud.unfinished(NODE) == []


@pytest.mark.parametrize(("known", "times"), [({}, FIRST_GUESS), ({"node-02": 2.0}, 2.0)])
def test_nova_is_asked_when_the_last_move_may_have_ended(
    ready: World, known: dict[str, float], times: float
) -> None:
    for host, slowness in known.items():
        ready.recorded.remember(host, move_slowness=slowness)
    polls: list[float] = []

    def note(method: str) -> None:
        if method == "fetch_migrations":
            polls.append((ready.clock.now - begun).total_seconds())

    begun, ready.cloud.before = ready.clock.now, note
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    expected = max(ready.plan.expected.move_seconds(g.memory_mib) for g in ready.cloud.guests.values())
    assert polls[1] == pytest.approx(times * expected, abs=2.0)


def test_the_pace_of_a_node_is_told_to_the_next(ready: World) -> None:
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    took = max((m.ended_at - m.started_at).total_seconds() for m in ready.moves() if str(m.method) == "live")
    expected = max(ready.plan.expected.move_seconds(g.memory_mib) for g in ready.cloud.guests.values())
    assert ready.facts().move_slowness == pytest.approx(took / expected, abs=0.05)


def test_an_empty_node_needs_no_move(world: World) -> None:
    world.run_up_to(Step.SWITCHOVER)
    assert world.run(Step.MIGRATE).outcome is Outcome.OK
    assert world.moves() == ()


def test_an_offloaded_server_is_on_no_node(world: World) -> None:
    world.boot("parked", vm_state="shelved_offloaded")
    world.run_up_to(Step.SWITCHOVER)
    assert world.run(Step.MIGRATE).outcome is Outcome.OK


def test_switchover_names_every_server(world: World) -> None:
    world.boot("web")
    result = world.run_up_to(Step.SWITCHOVER)
    assert result is not None
    assert result.details["servers"] == ["web"]


def test_a_marked_lease_means_that_the_place_was_given_up(ready: World) -> None:
    ready.take(mark=LeaseMark.HELD)
    result = ready.run(Step.MIGRATE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.LEASE_LOST)
    assert ready.cloud.requested("web") == []


def test_without_a_plan_it_says_what_to_clear(world: World) -> None:
    world.admit()
    with pytest.raises(Exception, match=r"clear the task node-01\.precheck"):
        world.run(Step.MIGRATE, last_try=True)
    assert world.progress().state is NodeState.HELD


def test_a_superseded_drain_requests_nothing_more(ready: World) -> None:
    def newer(method: str) -> None:
        if method == "start_live_migration":
            ready.cloud.before = None
            ready.begin(Step.MIGRATE)

    ready.cloud.before = newer
    with pytest.raises(SupersededError):
        ready.run(Step.MIGRATE)
    assert ready.verbs()[-1] == "live"
    assert ready.verbs().count("live") == 1
    assert ready.progress().state is NodeState.MIGRATING


def test_killed_anywhere_and_tried_again_no_server_is_asked_twice(make_world: MakeWorld) -> None:
    whole = loaded(make_world())
    before = whole.fuse.burnt
    whole.run(Step.MIGRATE)
    for count in range(0, whole.fuse.burnt - before, 4):
        world = loaded(make_world())
        world.fuse.left = count
        with pytest.raises(KilledError):
            world.run(Step.MIGRATE)
        assert world.run(Step.MIGRATE).outcome is Outcome.OK, count
        asked = {name: len(world.cloud.requested(name)) for name in ("web", "paused", "off")}
        assert asked == {"web": 1, "paused": 1, "off": 1}, count
        assert all(not m.status.unfinished for m in world.cloud.moves)
        assert world.cloud.guests["off"].vm_state == "stopped"


def test_what_ended_while_nobody_looked_is_told_by_the_servers_name(ready: World) -> None:
    """A move that an attempt began which was killed has the name that the plan gave it, not an id."""
    plan = ready.drain_plan()
    named = replace(plan, moves=tuple(replace(m, server_name=f"{m.server_id} server") for m in plan.moves))
    ready.begin(Step.MIGRATE).remember(drain_plan=named, drain_started=ready.clock.now)
    ready.cloud.start_live_migration("web", "node-03")
    while ready.cloud.guests["web"].host == NODE:
        ready.clock.sleep(5)
        ready.cloud.fetch_migrations()
    ready.run(Step.MIGRATE)
    (moved,) = [move for move in ready.moves() if move.server_id == "web"]
    assert moved.server_name == "web server"


def test_a_server_with_an_older_record_beside_its_own_is_counted_once_after_a_restart(ready: World) -> None:
    web = ready.cloud.guests["web"]
    ready.cloud.begin_move(web, "live-migration", "node-03", ())
    ready.cloud.fetch_migrations()
    web.task_state = None  # the record stays

    ready.kill(Step.MIGRATE, at=lambda method: method == "fetch_migrations" and len(ready.cloud.moves) > 3)
    result = ready.run(Step.MIGRATE)
    assert (result.outcome, result.details["moved"]) == (Outcome.OK, 3)


def test_a_confirmation_is_given_however_late_the_retry_comes(ready: World) -> None:
    ready.kill(Step.MIGRATE, at=lambda method: method == "confirm_resize")
    ready.clock.sleep(86400)
    assert ready.run(Step.MIGRATE).outcome is Outcome.OK
    assert ready.cloud.guests["off"].vm_state == "stopped"


def test_a_cold_migration_of_an_administrator_is_his_to_confirm(world: World) -> None:
    """He began it between two attempts of ours, of a server that we were about to move."""
    world.boot("off", vm_state="stopped")
    world.run_up_to(Step.SWITCHOVER)
    world.begin(Step.MIGRATE).remember(drain_started=world.clock.now)
    world.cloud.start_cold_migration("off", "node-03")
    world.run(Step.MIGRATE)
    assert "confirm" not in world.verbs()
    assert world.cloud.requested("off") == ["node-03"]


def test_a_live_move_that_takes_too_long_is_forced_to_its_end_where_that_is_allowed(
    make_world: MakeWorld,
) -> None:
    world = make_world(on_slow_move=OnSlowMove.FORCE_COMPLETE)
    web = world.boot("web")
    web.fault = Fault.HANG
    world.run_up_to(Step.SWITCHOVER)
    began = world.clock.now
    assert world.run(Step.MIGRATE).outcome is Outcome.OK
    assert web.host != NODE
    assert [verb for verb in world.verbs() if verb in {"force", "abort"}] == ["force"]
    assert world.clock.now - began < timedelta(seconds=120)


def test_a_move_that_does_not_end_when_forced_is_aborted(make_world: MakeWorld) -> None:
    world = make_world(on_slow_move=OnSlowMove.FORCE_COMPLETE)
    world.boot("web").fault = Fault.DIE
    world.run_up_to(Step.SWITCHOVER)
    result = world.run(Step.MIGRATE)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.MIGRATION_HUNG)
    assert [verb for verb in world.verbs() if verb in {"force", "abort"}] == ["force", "abort"]


def test_a_move_that_nova_does_not_force_is_aborted(make_world: MakeWorld) -> None:
    world = make_world(on_slow_move=OnSlowMove.FORCE_COMPLETE)
    web = world.boot("web")
    web.fault, web.faults_left = Fault.HANG, 1
    world.cloud.errors["force_complete"] = [ConflictError("no")] * 9
    world.run_up_to(Step.SWITCHOVER)
    assert world.run(Step.MIGRATE).outcome is Outcome.OK
    assert [verb for verb in world.verbs() if verb in {"force", "abort"}] == ["abort"]


def test_a_large_server_gets_the_time_that_its_memory_takes(make_world: MakeWorld) -> None:
    world = make_world(migration_timeout_seconds_per_gib=60.0)
    web = world.boot("web")
    web.memory_mib = 4096
    web.fault = Fault.DIE
    world.run_up_to(Step.SWITCHOVER)
    began = world.clock.now
    assert world.run(Step.MIGRATE).code is Code.MIGRATION_HUNG
    assert world.clock.now - began > timedelta(seconds=240)
