from __future__ import annotations

from datetime import timedelta

import pytest
from tests.builders import (
    DOMAINS,
    NOW,
    leased,
    make_busy_node,
    make_cloud,
    make_node,
    make_pair,
    make_plan,
    make_server,
    make_target,
    remembering,
)
from tests.upgrade_manager.schedule.rounds import full, going, round_state

from escalator.model.campaign import LedgerView, NodeProgress, NodeState
from escalator.model.cloud import HaGroup
from escalator.model.decisions import Admission
from escalator.model.lease import LeaseMark
from escalator.model.verdict import Code
from escalator.upgrade_manager.schedule.admission import decide_admissions


def test_as_many_go_as_there_are_places() -> None:
    state = round_state(make_cloud(map(make_target, "abcd")), slots=2)
    assert going(state) == ["a", "b"]
    assert state.out == {DOMAINS[0]: {"a", "b"}}


def test_places_are_shared_between_domains_by_the_work_in_them() -> None:
    nodes = [make_target(f"a{i}") for i in range(6)] + [
        make_target(f"b{i}", domain=DOMAINS[1]) for i in range(3)
    ]
    found = going(round_state(make_cloud(nodes), slots=3))
    assert sorted(host[0] for host in found) == ["a", "a", "b"]


def test_without_an_upgraded_node_one_first_node_a_domain_may_go() -> None:
    state = round_state(full(*"abcdef"), slots=3, spill=0.0)
    assert going(state) == ["a"]
    assert state.moved_twice == 0
    assert state.reasons["b"].code is Code.CAPACITY
    assert "would have to move twice" in state.reasons["b"].message


def test_a_spill_budget_lets_more_go() -> None:
    state = round_state(full(*"abcdef"), slots=3, spill=0.2)
    assert len(going(state)) == 2
    assert state.moved_twice == 3


def test_what_fits_on_an_upgraded_node_costs_no_budget() -> None:
    snapshot = full(*"abcdef")
    more = make_cloud([*snapshot.nodes, make_target("u", upgraded=True, memory=8192)], snapshot.servers)
    state = round_state(more, slots=3, spill=0.0)
    assert going(state) == ["a"]
    assert state.claims.keys() == {"u"}


def test_room_that_others_take_is_not_counted_twice() -> None:
    nodes = [make_target("a"), make_target("b"), make_target("u", upgraded=True, memory=8192)]
    servers = [make_server("x", "a", memory=6000), make_server("y", "b", memory=6000)]
    state = round_state(make_cloud(nodes, servers), slots=2, spill=0.0)
    assert going(state) == ["a"]


def test_a_node_that_never_fits_is_held_with_numbers() -> None:
    nodes = [make_target("a", memory=65536), make_busy_node("b", memory=2048)]
    state = round_state(make_cloud(nodes, [make_server("big", "a", memory=32768)]), slots=2)
    assert going(state) == []
    assert state.reasons["a"].admission is Admission.HOLD
    assert "32768 wanted" in state.reasons["a"].message


def test_partners_do_not_go_together_and_say_so() -> None:
    group, members = make_pair("db", "a", "b")
    state = round_state(make_cloud(map(make_target, "abc"), members, ha_groups=(group,)), slots=3)
    assert going(state) == ["a", "c"]
    assert state.reasons["b"].code is Code.HA_GROUP


def test_a_node_to_which_servers_are_on_their_way_waits() -> None:
    snapshot = full("a", "b")
    state = round_state(snapshot, slots=2, moving=True)
    assert going(state) == ["a"]
    assert "on their way" in state.reasons["b"].message


def test_a_node_that_nobody_asks_for_takes_no_turn_where_another_could_go() -> None:
    """Node h3 waits an hour for the recovery of its group, h4 could go; nobody asks for h2."""
    group = HaGroup(
        id="g", mode="load-balanced", members=("id-m1", "id-m2"), max_impacted=1, recovery_seconds=3600
    )
    far, near = DOMAINS[0], DOMAINS[1]
    nodes = (
        make_target("h3", domain=near),
        make_target("h4", domain=near),
        make_target("x", domain=near, upgraded=True),
    )
    servers = [make_server("m1", "x", ha_group="g"), make_server("m2", "h3", ha_group="g")]
    others = (make_target("h2", domain=far), make_target("a2", domain=far, upgraded=True))
    snapshot = make_cloud([*nodes, *others], servers, ha_groups=(group,))
    plan = make_plan("h3", "h4", "h2", domain="", target_version="2")
    ledger = LedgerView(given_back={"x": NOW - timedelta(seconds=10)})
    decisions = decide_admissions(snapshot, plan, ledger, NOW, asking={"h3", "h4"})
    assert {h for h, d in decisions.items() if d.admission is Admission.ADMIT} == {"h4"}


def test_a_node_does_not_wait_for_one_that_nobody_asks_for_and_that_is_easier_to_empty() -> None:
    """Node h1 was held and given back, empty; the server of h2 has room on one still to be upgraded only."""
    nodes = (make_target("h1"), make_target("h2"), make_busy_node("x", upgraded=True, memory=1024))
    snapshot = make_cloud(nodes, [make_server("web", "h2")])
    decisions = decide_admissions(snapshot, make_plan("h1", "h2"), LedgerView(), NOW, asking={"h2"})
    assert decisions["h2"].admission is Admission.ADMIT
    assert decisions["h1"].admission is Admission.WAIT


@pytest.mark.parametrize("places", [1, 2])
def test_a_node_that_is_cleared_does_not_wait_for_those_that_were_given_back(places: int) -> None:
    """Nodes a and b were held before anything was moved, c failed and was mended: its task alone asks."""
    plan = make_plan("a", "b", "c", max_parallel=places, max_failed_nodes=1)
    cloud = make_cloud([make_node("a"), make_node("b"), leased(make_node("c"), plan, LeaseMark.FAILED)])
    ended = {"a": NodeState.HELD, "b": NodeState.HELD, "c": NodeState.FAILED}
    ledger = LedgerView(nodes=tuple(NodeProgress(host=host, state=how) for host, how in ended.items()))
    decisions = decide_admissions(cloud, plan, remembering(cloud, plan, ledger), NOW, asking={"c"})
    assert [decisions[host].admission for host in "abc"] == [Admission.WAIT, Admission.WAIT, Admission.ADMIT]
