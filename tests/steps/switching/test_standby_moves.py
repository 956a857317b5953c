"""A standby moves to an upgraded node before it takes over; nothing of that keeps a switchover."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.steps.fake_records import Fault, KilledError
from tests.steps.managers import acting, register
from tests.steps.switching.test_manager_switches import finish, give_address, network, noted, pair, replay
from tests.steps.worlds import NODE, World
from tests.vim_interface.switching.fakes import FLOATING

from escalator.ledger.records import Document
from escalator.model.campaign import Step
from escalator.model.cloud import CloudSnapshot, MigrationStatus
from escalator.model.errors import TransientError
from escalator.model.moves import MoveMethod
from escalator.model.notice import InstanceAction
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.model.vnf_means import FloatingIpMeans
from escalator.vim_interface.registry import SwitchMeans

__all__ = ["pair"]
STANDBYS_NODE, UPGRADED = "node-02", "node-03"


@pytest.fixture
def before(pair: World) -> CloudSnapshot:
    """The cloud at the campaign's start."""
    return pair.context().fetch_snapshot()


@pytest.fixture
def upgraded(pair: World, before: CloudSnapshot) -> World:
    """The pair of ``node-01`` and ``node-02`` without a manager; ``node-03`` is upgraded and empty."""
    del before
    give_address(pair, "a")
    pair.means = SwitchMeans(means={"ha-a": FloatingIpMeans(address=FLOATING)})
    pair.run_up_to(Step.RELEASE, UPGRADED)
    assert pair.enabled(UPGRADED)
    return pair


def up_to_switchover(world: World, host: str = NODE) -> None:
    world.admit(host)
    world.run(Step.PRECHECK, host)


def switch(world: World, host: str = NODE) -> dict[str, Any]:
    up_to_switchover(world, host)
    return run_switchover(world, host)


def run_switchover(world: World, host: str = NODE) -> dict[str, Any]:
    result = world.turn(Step.SWITCHOVER, host).result
    assert result.outcome is Outcome.OK, result.message
    return dict(result.details)


def asked(world: World) -> list[tuple[str, str, str | None]]:
    """Return which server was asked to move where, and from where."""
    return [(w.subject, w.detail, w.found) for w in world.cloud.writes if w.verb in {"live", "cold"}]


def takers(world: World) -> list[tuple[str, str | None, bool]]:
    return [(r.from_server, r.to_server, r.verified) for r in noted(world)]


def test_it_moves_and_takes_over_and_the_trace_says_so_as_a_simulated_one(
    upgraded: World, before: CloudSnapshot, tmp_path: Path
) -> None:
    assert switch(upgraded)["standbys_moved"] == ["b"]
    assert asked(upgraded) == [("b", UPGRADED, STANDBYS_NODE)]
    assert upgraded.enabled(STANDBYS_NODE), "the node that it left stays as it is"
    assert takers(upgraded) == [("a", "b", True)]
    finish(upgraded)
    upgraded.run_up_to(Step.RELEASE, STANDBYS_NODE)
    assert takers(upgraded) == [("a", "b", True)], "the service need not go back"
    switches, report = replay(upgraded, before, tmp_path)
    assert len(switches) == 1
    assert (report.facts.standby_moves, report.facts.moves, report.facts.switchovers) == (1, 0, 1)
    assert report.violations == ()


def test_the_events_are_those_of_a_simulation(upgraded: World, before: CloudSnapshot, tmp_path: Path) -> None:
    switch(upgraded)
    finish(upgraded)
    replay(upgraded, before, tmp_path)
    document = upgraded.recorded.document(Document.REPORT)
    assert document is not None
    trace = document["trace"]
    names = [e["event"] for e in trace["events"] if e.get("host") != UPGRADED]
    order = ["admit", "move_start", "move_end", "switchover", "upgrade_start", "upgrade_end", "release"]
    assert names == order
    (start,) = (e for e in trace["events"] if e["event"] == "move_start")
    place = {"server": "b", "from": STANDBYS_NODE, "to": UPGRADED, "kind": "standby"}
    assert {key: value for key, value in start.items() if key != "t"} == {"event": "move_start", **place}


def test_a_second_run_moves_and_switches_nothing_again(upgraded: World) -> None:
    switch(upgraded)
    once = (asked(upgraded), list(network(upgraded).writes), noted(upgraded))
    assert run_switchover(upgraded)["standbys_moved"] == []
    assert (asked(upgraded), list(network(upgraded).writes), noted(upgraded)) == once


@pytest.mark.parametrize("fault", [Fault.FAIL, Fault.PRECHECK_FAIL, Fault.HANG, Fault.REFUSE, Fault.LOST])
def test_a_move_that_goes_wrong_keeps_no_switchover(upgraded: World, fault: Fault) -> None:
    upgraded.cloud.guests["b"].fault = fault
    upgraded.cloud.guests["b"].faults_left = 3 if fault is Fault.REFUSE else 1
    up_to_switchover(upgraded)
    result = upgraded.turn(Step.SWITCHOVER).result
    if fault is Fault.LOST:  # the server stays busy: nobody else could take over
        assert (result.outcome, result.code) == (Outcome.HELD, Code.VNF_NO_STANDBY)
        return
    assert result.outcome is Outcome.OK
    assert result.details["standbys_not_moved"]
    assert takers(upgraded) == [("a", "b", True)]
    assert upgraded.cloud.guests["b"].host == STANDBYS_NODE
    assert len(asked(upgraded)) <= 1


def test_a_standby_that_its_move_put_into_error_does_not_take_over_and_is_named(upgraded: World) -> None:
    upgraded.cloud.guests["b"].fault = Fault.ERROR
    up_to_switchover(upgraded)
    result = upgraded.turn(Step.SWITCHOVER).result
    assert (result.outcome, result.code) == (Outcome.HELD, Code.VNF_NO_STANDBY)
    (trouble,) = result.details["troubles"]
    assert trouble["code"] == "server_error"
    assert "clear" not in trouble["message"], "no node is held for it"
    assert network(upgraded).writes == []


@pytest.mark.parametrize("at", range(2, 62, 6))
def test_killed_anywhere_it_is_moved_once_and_switched_once(
    upgraded: World, before: CloudSnapshot, at: int, tmp_path: Path
) -> None:
    up_to_switchover(upgraded)
    upgraded.fuse.left = at
    try:
        upgraded.turn(Step.SWITCHOVER)
    except KilledError:
        upgraded.clock.sleep(1.0)
        run_switchover(upgraded)
    upgraded.fuse.left = None
    assert asked(upgraded) == [("b", UPGRADED, STANDBYS_NODE)]
    assert takers(upgraded) == [("a", "b", True)]
    assert upgraded.facts().standby_move is None
    finish(upgraded)
    _, report = replay(upgraded, before, tmp_path)
    assert report.facts.standby_moves == 1
    assert set(report.counts()) <= {"unexplained_target"}


def test_a_move_that_was_begun_is_seen_to_its_end_by_release(upgraded: World) -> None:
    up_to_switchover(upgraded)
    upgraded.kill(Step.SWITCHOVER, at=lambda method: method == "fetch_migrations" and bool(asked(upgraded)))
    let_time_go_on(upgraded)
    upgraded.run(Step.RELEASE)
    assert [(m.server_id, m.method, m.succeeded) for m in upgraded.moves()] == [
        ("b", MoveMethod.STANDBY, True)
    ]
    assert [m.status for m in upgraded.cloud.moves] == [MigrationStatus.COMPLETED]
    assert upgraded.enabled()


def let_time_go_on(world: World) -> None:
    world.cloud.before = lambda _: world.clock.sleep(0.01)


def test_nobody_is_moved_when_that_was_not_wanted(upgraded: World) -> None:
    plan = upgraded.plan
    upgraded.plan = upgraded.make_plan(f"{plan.run_id}-still", move_standbys=False)
    upgraded.open(upgraded.plan)
    upgraded.recorded.remember(UPGRADED, version="34.0.0")
    switch(upgraded)
    assert asked(upgraded) == []
    assert takers(upgraded) == [("a", "b", True)]


def test_room_that_the_node_itself_will_need_is_not_taken(upgraded: World) -> None:
    upgraded.boot("big", memory_mib=65100)
    assert switch(upgraded)["standbys_moved"] == []
    assert takers(upgraded) == [("a", "b", True)]
    finish(upgraded)
    assert asked(upgraded) == [("big", UPGRADED, NODE)]


@pytest.mark.parametrize("host", [STANDBYS_NODE, UPGRADED])
def test_a_node_that_somebody_took_meanwhile_is_left_alone(upgraded: World, host: str) -> None:
    up_to_switchover(upgraded)

    def take(method: str) -> None:
        if method == "fetch_service" and network_was_read(upgraded):
            upgraded.cloud.before = None
            upgraded.cloud.person_disables(host)

    def network_was_read(world: World) -> bool:
        return world.cloud.counter.total > seen[0]

    seen = [upgraded.cloud.counter.total + 1]
    upgraded.cloud.before = take
    upgraded.turn(Step.SWITCHOVER)
    assert asked(upgraded) == []


def test_who_is_managed_by_somebody_that_was_not_asked_is_not_moved(upgraded: World) -> None:
    managers = register(upgraded, acting(InstanceAction.OWN_ACTION))
    up_to_switchover(upgraded)
    managers.hear()
    assert asked(upgraded) == []


def test_a_member_that_has_the_service_is_never_moved_as_a_standby(upgraded: World) -> None:
    give_address(upgraded, "b")
    switch(upgraded)
    assert asked(upgraded) == []
    assert network(upgraded).writes == []


def test_when_the_lease_is_lost_what_flies_lands_and_nothing_is_switched(upgraded: World) -> None:
    up_to_switchover(upgraded)

    def lose(method: str) -> None:
        if method == "fetch_migrations" and asked(upgraded):
            upgraded.cloud.before = None
            upgraded.cloud.person_enables(NODE)

    upgraded.cloud.before = lose
    result = upgraded.turn(Step.SWITCHOVER).result
    assert (result.outcome, result.code) == (Outcome.HELD, Code.LEASE_LOST)
    assert [m.status for m in upgraded.cloud.moves] == [MigrationStatus.COMPLETED]
    assert [m.succeeded for m in upgraded.moves()] == [True]
    assert network(upgraded).writes == []


def test_when_nova_does_not_answer_the_next_attempt_goes_on(upgraded: World) -> None:
    up_to_switchover(upgraded)
    upgraded.cloud.errors["start_live_migration"] = [TransientError("HTTP 503")]
    run_switchover(upgraded)
    assert asked(upgraded) == [("b", UPGRADED, STANDBYS_NODE)]
    assert takers(upgraded) == [("a", "b", True)]
