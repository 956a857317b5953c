from dataclasses import replace
from typing import Any

import pytest
from tests.replay.worlds import (
    CLEAN,
    cloud,
    codes,
    guest,
    judge,
    lone,
    move,
    node,
    on,
    server,
    switch,
    two,
    upgrade,
)

from escalator.model.cloud import ResourceInventory, Server, ServerGroup, ServiceState, ServiceStatus
from escalator.replay import ReplayOptions
from escalator.replay import ViolationCode as V


def test_a_clean_trace_is_clean() -> None:
    report = judge(CLEAN)
    assert report.violations == ()


def test_the_facts_of_a_clean_trace() -> None:
    facts = judge(CLEAN).facts
    assert facts.upgraded == ("n1", "n2", "n3")
    assert (facts.moves, facts.standby_moves, facts.moves_lower_bound) == (4, 0, 3)
    assert (facts.most_moves_of_one_server, facts.moved_twice) == (2, 1)
    assert (facts.switchovers, facts.groups, facts.double_faults) == (2, 1, 0)
    assert (facts.most_out, facts.stuck, facts.makespan_seconds) == (1, 0, 2792.0)


# --- each rule of a move, broken by one move of a one-server cloud


def one_move(
    moved: Server,
    to: str = "n2",
    kind: str = "live",
    *,
    others: tuple[Server, ...] = (),
    dest: dict[str, Any] | None = None,
    groups: tuple[ServerGroup, ...] = (),
    source: str = "n1",
) -> set[V]:
    snapshot = cloud(
        node("n1"),
        node("n2", target=False, **(dest or {})),
        node("n3", target=False),
        servers=(moved, *others),
        server_groups=groups,
    )
    events = [on(0, "admit", "n1"), *move(1, 10, "web", source, to, kind), *upgrade("n1")]
    return codes(judge(events, snapshot=snapshot))


def test_a_move_that_breaks_nothing() -> None:
    assert one_move(lone()) == set()


def test_a_node_that_is_full_for_the_server() -> None:
    full = {"MEMORY_MB": ResourceInventory(total=8192, reserved=512), "VCPU": ResourceInventory(total=64)}
    there = server("old", "n2")
    assert one_move(lone(), dest={"inventory": full}, others=(there,)) == {V.CAPACITY}


def test_what_placement_says_is_taken_counts_where_it_is_more() -> None:
    assert one_move(lone(), dest={"usage": {"MEMORY_MB": 30000}}) == {V.CAPACITY}


def test_the_allocation_ratio_counts() -> None:
    scarce = {
        "MEMORY_MB": ResourceInventory(total=8192),
        "VCPU": ResourceInventory(total=3, allocation_ratio=0.5),
    }
    assert one_move(lone(), dest={"inventory": scarce}) == {V.CAPACITY}


def test_a_resource_class_that_the_node_does_not_have() -> None:
    assert one_move(lone(resources={"PCPU": 1})) == {V.CAPACITY}


def test_a_resource_class_that_no_node_is_known_to_have() -> None:
    assert one_move(lone(resources={"VGPU": 1})) == set()


def test_a_trait_that_the_server_forbids() -> None:
    forbids = lone(forbidden_traits=frozenset({"SLOW"}))
    assert one_move(forbids, dest={"traits": frozenset({"SLOW"})}) == {V.TRAITS_MISSING}


def test_more_than_one_server_may_have() -> None:
    inventory = {"MEMORY_MB": ResourceInventory(total=8192), "VCPU": ResourceInventory(total=8, max_unit=1)}
    assert one_move(lone(), dest={"inventory": inventory}) == {V.MAX_UNIT}


def test_a_server_that_leaves_its_domain() -> None:
    assert one_move(lone(), dest={"domain": "elsewhere"}) == {V.LEFT_DOMAIN}


@pytest.mark.parametrize(
    "state", [{"state": ServiceState.DOWN}, {"forced_down": True}, {"status": ServiceStatus.DISABLED}]
)
def test_a_destination_that_takes_no_servers(state: dict[str, Any]) -> None:
    assert one_move(lone(), dest=state) == {V.DESTINATION_UNAVAILABLE}


def test_a_destination_where_the_server_is_already() -> None:
    assert V.DESTINATION_UNAVAILABLE in one_move(lone(), to="n1")


def test_traits_that_the_destination_lacks() -> None:
    assert one_move(lone(required_traits=frozenset({"SSD"}))) == {V.TRAITS_MISSING}


def test_a_zone_that_the_server_is_pinned_to() -> None:
    assert one_move(lone(pinned_zone="az9")) == {V.ZONE_LEFT}


def test_anti_affinity() -> None:
    group = ServerGroup(id="g", policy="anti-affinity", members=("web", "other"))
    assert one_move(lone(), others=(server("other", "n2"),), groups=(group,)) == {V.ANTI_AFFINITY}
    assert one_move(lone(), others=(server("other", "n3"),), groups=(group,)) == set()


def test_anti_affinity_with_room_for_several_on_a_node() -> None:
    others = (server("other", "n2"), server("third", "n2"))
    group = ServerGroup(
        id="g", policy="anti-affinity", members=("web", "other", "third"), max_server_per_host=3
    )
    assert one_move(lone(), others=others, groups=(group,)) == set()
    fewer = replace(group, max_server_per_host=2)
    assert one_move(lone(), others=others, groups=(fewer,)) == {V.ANTI_AFFINITY}


def test_a_group_that_only_the_server_names_counts_too() -> None:
    group = ServerGroup(id="g", policy="anti-affinity")
    other = server("other", "n2", server_group="g")
    assert one_move(lone(server_group="g"), others=(other,), groups=(group,)) == {V.ANTI_AFFINITY}


def test_soft_policies_are_counted_only() -> None:
    group = ServerGroup(id="g", policy="soft-anti-affinity", members=("web", "other"))
    snapshot = cloud(
        node("n1"), node("n2", target=False), servers=(lone(), server("other", "n2")), server_groups=(group,)
    )
    events = [on(0, "admit", "n1"), *move(1, 2, "web", "n1", "n2"), *upgrade("n1")]
    report = judge(events, snapshot=snapshot)
    assert (report.violations, report.facts.soft_affinity_breaks) == ((), 1)


def test_affinity() -> None:
    group = ServerGroup(id="g", policy="affinity", members=("web", "other"))
    assert one_move(lone(), others=(server("other", "n3"),), groups=(group,)) == {V.AFFINITY}
    assert one_move(lone(), others=(server("other", "n2"),), groups=(group,)) == set()


def test_members_of_an_affinity_group_follow_one_another() -> None:
    group = ServerGroup(id="g", policy="affinity", members=("web", "other"))
    snapshot = cloud(
        node("n1"),
        node("n2", target=False),
        node("n3", target=False),
        servers=(lone(), server("other", "n1")),
        server_groups=(group,),
    )
    head = [on(0, "admit", "n1"), *move(1, 10, "web", "n1", "n2")]
    together = [*head, *move(11, 20, "other", "n1", "n2"), *upgrade("n1")]
    apart = [*head, *move(11, 20, "other", "n1", "n3"), *upgrade("n1")]
    assert codes(judge(together, snapshot=snapshot)) == set()
    assert codes(judge(apart, snapshot=snapshot)) == {V.AFFINITY}
    assert V.AFFINITY in codes(judge(head, snapshot=snapshot, held={"n1": "other did not move"}))


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"migration": "cold"}, "live"),
        ({}, "cold"),
        ({"vm_state": "stopped"}, "live"),
        ({"vm_state": "error"}, "live"),
        ({"migration": "none"}, "live"),
        ({"migration": "cold", "vm_state": "paused"}, "cold"),
        ({}, "standby"),
    ],
)
def test_a_kind_of_move_that_does_not_fit_the_server(facts: dict[str, Any], kind: str) -> None:
    assert V.KIND_UNFIT in one_move(lone(**facts), kind=kind)


@pytest.mark.parametrize(
    ("facts", "kind"),
    [({"vm_state": "paused"}, "live"), ({"vm_state": "stopped"}, "cold"), ({"migration": "cold"}, "cold")],
)
def test_a_kind_of_move_that_fits_the_server(facts: dict[str, Any], kind: str) -> None:
    assert one_move(lone(**facts), kind=kind) == set()


def test_a_server_that_is_not_where_the_move_begins() -> None:
    assert one_move(lone(), source="n3") == {V.WRONG_SOURCE}


# --- moves in time


def test_both_nodes_hold_the_server_while_it_is_moved() -> None:
    tight = {"VCPU": ResourceInventory(total=4), "MEMORY_MB": ResourceInventory(total=8192)}
    snapshot = cloud(
        node("n1", inventory=tight),
        node("n2", target=False, inventory=tight),
        servers=(lone(), server("web-2", "n1"), server("back", "n2")),
    )
    one, back = move(0, 10, "web", "n1", "n2"), move(5, 8, "back", "n2", "n1")
    held = {"n1": "not of interest"}
    assert codes(judge([one[0], *back, one[1]], snapshot=snapshot, held=held)) == {V.CAPACITY}
    back = move(11, 18, "back", "n2", "n1")
    assert codes(judge([*one, *back], snapshot=snapshot, held=held)) == set()


def test_a_server_that_is_moved_while_it_is_being_moved() -> None:
    first, second = move(0, 10, "web", "n1", "n2"), move(5, 15, "web", "n1", "n3")
    assert V.MOVE_OVERLAP in two(first[0], second[0], first[1])


def test_a_move_that_ends_without_having_started() -> None:
    assert two(move(0, 10, "web", "n1", "n2")[1]) == {V.MOVE_UNSTARTED}


def test_a_move_that_ends_elsewhere() -> None:
    first, second = move(0, 10, "web", "n1", "n2"), move(0, 10, "web", "n1", "n3")
    assert V.MOVE_UNSTARTED in two(first[0], second[1])


def test_a_move_that_never_ends() -> None:
    assert two(move(0, 10, "web", "n1", "n2")[0]) == {V.MOVE_UNENDED}


def test_a_destination_that_goes_out_during_the_move() -> None:
    start, end = move(0, 10, "web", "n1", "n2")
    assert two(start, on(5, "admit", "n2"), end) == {V.DESTINATION_UNAVAILABLE}


def test_more_moves_from_one_node_than_are_wanted() -> None:
    first, second = move(0, 10, "web", "n1", "n2"), move(5, 15, "web-2", "n1", "n3")
    events = (on(0, "admit", "n1"), first[0], second[0], first[1], second[1])
    assert two(*events, options=ReplayOptions(concurrent_migrations=1)) == {V.SOURCE_CROWDED}
    assert two(*events, options=ReplayOptions(concurrent_migrations=2)) == set()
    assert two(*events) == set()


def test_a_server_that_was_stopped_to_stay_is_not_moved() -> None:
    events = (on(0, "admit", "n1"), guest(1, "stop", "web"), *move(2, 3, "web", "n1", "n3"))
    assert two(*events) == {V.STOP_MISPLACED, V.KIND_UNFIT, V.NOT_STARTED_AGAIN}


def test_names_that_the_snapshot_does_not_know() -> None:
    assert two(*move(0, 1, "ghost", "n1", "n2")[:1]) == {V.UNKNOWN_SERVER}
    assert two(*move(0, 1, "web", "n1", "n9")[:1]) == {V.UNKNOWN_HOST}
    assert two(on(0, "admit", "n9")) == {V.UNKNOWN_HOST}
    assert two(guest(0, "stop", "ghost")) == {V.UNKNOWN_SERVER}
    assert two(guest(0, "start", "ghost")) == {V.UNKNOWN_SERVER}
    assert two(switch(0, "a", "b")) == {V.UNKNOWN_GROUP}


def test_time_that_goes_backwards() -> None:
    assert two(on(5, "admit", "n1"), on(4, "release", "n1")) == {V.TIME_BACKWARDS}
