from dataclasses import replace
from typing import Any

import pytest

from escalator.model.cloud import HaGroup, ResourceInventory, Server, ServerGroup, ServiceState, ServiceStatus
from escalator.model.errors import InvalidRequestError
from escalator.replay import ReplayOptions, check_trace
from escalator.replay import ViolationCode as V

from .worlds import (
    CLEAN,
    DOMAIN,
    SNAPSHOT,
    Document,
    cloud,
    codes,
    guest,
    judge,
    move,
    node,
    on,
    server,
    switch,
    trace,
    without,
)


def upgrade(host: str, t: float = 50.0) -> list[Document]:
    return [
        on(t, "upgrade_start", host),
        on(t + 900, "upgrade_end", host),
        on(t + 901, "release", host),
    ]


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


def lone(**more: Any) -> Server:
    return server("web", "n1", **more)


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
    assert one_move(lone(resources={"VGPU": 1})) == {V.CAPACITY}


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


def two(*events: Document, options: ReplayOptions | None = None, **more: Any) -> set[V]:
    snapshot = cloud(
        node("n1"),
        node("n2"),
        node("n3", target=False),
        servers=(lone(), server("web-2", "n1"), server("far", None, vm_state="shelved_offloaded")),
    )
    held = {"n1": "not of interest", "n2": "not of interest"}
    return codes(judge(events, snapshot=snapshot, held=held, options=options, **more))


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


# --- nodes


def test_more_nodes_out_than_allowed() -> None:
    events = (on(0, "admit", "n1"), on(1, "admit", "n2"), on(2, "release", "n2"), on(3, "release", "n1"))
    assert two(*events) == {V.PARALLEL_EXCEEDED}
    assert two(*events, parallel=2) == set()


def test_a_node_that_is_held_out_of_service_takes_no_place_of_k() -> None:
    assert two(on(0, "admit", "n1"), on(1, "admit", "n2"), on(2, "release", "n2")) == set()


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"target": False}, V.NOT_A_TARGET),
        ({"status": ServiceStatus.DISABLED, "disabled_reason": "disk swap"}, V.NODE_UNAVAILABLE),
        ({"state": ServiceState.DOWN}, V.NODE_UNAVAILABLE),
        ({"upgraded": True}, V.ALREADY_UPGRADED),
    ],
)
def test_a_node_that_must_not_be_admitted(facts: dict[str, Any], code: V) -> None:
    snapshot = cloud(node("n1", **facts), node("n2"))
    events = [on(0, "admit", "n1"), on(1, "release", "n1")]
    assert codes(judge(events, snapshot=snapshot, held={"n1": "given back", "n2": "given up"})) == {code}


def test_a_node_whose_lease_a_campaign_has_already_may_be_admitted() -> None:
    lease = "escalator:upgrade:0123456789ab:0123456789abcdef words"
    snapshot = cloud(node("n1", status=ServiceStatus.DISABLED, disabled_reason=lease))
    assert codes(judge([on(0, "admit", "n1"), *upgrade("n1")], snapshot=snapshot)) == set()


def test_a_node_that_is_admitted_twice() -> None:
    assert two(on(0, "admit", "n1"), on(1, "admit", "n1")) == {V.ALREADY_OUT}


def test_a_node_that_is_upgraded_or_released_without_being_out() -> None:
    assert V.NOT_ADMITTED in two(on(0, "upgrade_start", "n2"))
    assert two(on(0, "release", "n2")) == {V.NOT_ADMITTED}


def test_an_upgrade_with_servers_on_the_node() -> None:
    assert codes(judge(without(19, 20))) == {V.SERVER_LEFT_BEHIND}


def test_an_upgrade_while_a_server_is_on_its_way() -> None:
    start, end = move(1, 60, "web", "n1", "n3")
    events = (
        on(0, "admit", "n1"),
        *move(0, 1, "web-2", "n1", "n3"),
        start,
        on(50, "upgrade_start", "n1"),
        end,
    )
    assert two(*events) == {V.NODE_BUSY}


def test_a_move_off_a_node_in_its_upgrade() -> None:
    events = (on(0, "admit", "n1"), on(1, "upgrade_start", "n1"), *move(2, 3, "web", "n1", "n3"))
    assert two(*events) == {V.SERVER_LEFT_BEHIND, V.NODE_BUSY}


def test_upgrades_that_end_or_are_left_unfinished() -> None:
    empty = (on(0, "admit", "n2"),)
    assert V.UPGRADE_UNSTARTED in two(*empty, on(1, "upgrade_end", "n2"))
    assert two(*empty, on(1, "upgrade_start", "n2"), on(2, "release", "n2")) == {V.UPGRADE_UNFINISHED}
    assert two(*empty, on(1, "upgrade_start", "n2"), on(2, "upgrade_start", "n2")) == {V.NODE_BUSY}


def test_a_release_while_a_server_leaves() -> None:
    start, end = move(1, 10, "web", "n1", "n3")
    assert two(on(0, "admit", "n1"), start, on(5, "release", "n1"), end) == {V.NODE_BUSY}


def test_a_target_that_is_neither_upgraded_nor_held() -> None:
    assert codes(judge(CLEAN[:-3])) == {V.UNEXPLAINED_TARGET}
    assert codes(judge(CLEAN[:-5], held={"n3": "no capacity"})) == set()
    assert codes(judge(CLEAN[:-5], held={"n3": ""})) == {V.UNEXPLAINED_TARGET}


def test_a_snapshot_without_targets_leaves_the_choice_to_the_trace() -> None:
    bare = replace(SNAPSHOT, nodes=tuple(replace(n, target=False) for n in SNAPSHOT.nodes))
    assert codes(judge(CLEAN, snapshot=bare)) == set()


# --- servers that stay


def test_a_pinned_server_that_runs_through_the_upgrade() -> None:
    assert codes(judge(without(6, 9))) == {V.SERVER_NOT_STOPPED}


def test_a_stopped_server_that_is_not_started_again() -> None:
    assert codes(judge(without(9))) == {V.NOT_STARTED_AGAIN}


def test_stops_and_starts_out_of_place() -> None:
    events = list(CLEAN)
    events[9] = guest(500, "start", "pin")
    events[8], events[9] = events[9], events[8]
    assert codes(judge(events)) == {V.START_MISPLACED}
    assert codes(judge([guest(0, "stop", "pin"), *without(6)])) == {V.STOP_MISPLACED}
    assert codes(judge([guest(0, "start", "pin"), *CLEAN])) == {V.START_MISPLACED}
    assert codes(judge([CLEAN[0], guest(0, "stop", "pin"), *CLEAN[1:]])) == {V.STOP_MISPLACED}


# --- HA groups


def test_an_active_on_a_node_that_is_upgraded() -> None:
    assert codes(judge(without(1, 12))) == {V.ACTIVE_NOT_SWITCHED}


def test_an_upgrade_that_touches_no_guest_needs_no_switchover() -> None:
    untouched = ReplayOptions(guests_untouched=True)
    assert codes(judge(without(1, 6, 9, 12), options=untouched)) == set()


PAIR = (server("a", "n1", ha_group="g", ha_role="active"), server("s", "n2", ha_group="g", ha_role="standby"))
GROUP = HaGroup(id="g", mode="active-standby", members=("a", "s"))


def pair(
    *events: Document, group: HaGroup = GROUP, servers: tuple[Server, ...] = PAIR, **more: Any
) -> set[V]:
    snapshot = cloud(node("n1"), node("n2"), node("n3", target=False), servers=servers, ha_groups=(group,))
    held = {"n1": "not of interest", "n2": "not of interest"}
    return codes(judge(events, snapshot=snapshot, held=held, parallel=2, **more))


def test_two_members_on_nodes_that_are_out() -> None:
    both = (on(0, "admit", "n1"), on(1, "admit", "n2"))
    assert pair(*both) == {V.HA_IMPACT}
    assert pair(*both, group=replace(GROUP, max_impacted=2)) == set()


def test_a_member_that_is_moved_off_a_node_is_impacted_no_more() -> None:
    events = (on(0, "admit", "n2"), *move(1, 9, "s", "n2", "n3", "standby"), on(10, "admit", "n1"))
    assert pair(*events) == set()


def test_a_member_recovers_after_its_node_was_given_back() -> None:
    slow = replace(GROUP, recovery_seconds=60.0)
    head = (on(0, "admit", "n1"), on(10, "release", "n1"))
    assert pair(*head, on(69, "admit", "n2"), group=slow) == {V.HA_IMPACT}
    assert pair(*head, on(70, "admit", "n2"), group=slow) == set()


def test_a_member_that_does_not_run_counts_as_impacted() -> None:
    down = (PAIR[0], replace(PAIR[1], vm_state="stopped"))
    assert pair(on(0, "admit", "n1"), servers=down) == {V.HA_IMPACT}
    assert pair(on(0, "admit", "n2"), servers=down) == set()  # no worse than it was


def test_what_the_snapshot_broke_is_not_held_against_the_trace() -> None:
    third = server("third", "n3", ha_group="g", ha_role="standby", vm_state="error")
    both = (PAIR[0], replace(PAIR[1], vm_state="error"), third)
    group = replace(GROUP, members=("a", "s", "third"))
    assert pair(on(0, "admit", "n2"), servers=both, group=group) == set()
    assert pair(on(0, "admit", "n1"), servers=both, group=group) == {V.HA_IMPACT}


def test_a_stop_can_impact_a_group() -> None:
    pinned = (replace(PAIR[0], migration="none"), PAIR[1])
    group = replace(GROUP, mode="none")
    events = (on(0, "admit", "n2"), *move(1, 5, "s", "n2", "n3"), on(6, "admit", "n1"), guest(7, "stop", "a"))
    assert pair(*events, servers=pinned, group=group) == set()
    events = (on(0, "admit", "n1"), on(1, "admit", "n2"), guest(2, "stop", "a"))
    assert pair(*events, servers=pinned, group=group) == {V.HA_IMPACT}


def test_switchovers_from_a_server_that_is_not_active() -> None:
    assert pair(switch(0, "s", "a", "g")) == {V.SWITCHOVER_FROM, V.SWITCHOVER_TO}
    assert pair(switch(0, "a", "s", "g"), switch(1, "a", "s", "g")) == {V.SWITCHOVER_FROM, V.SWITCHOVER_TO}


def test_switchovers_to_a_server_that_cannot_take_over() -> None:
    assert pair(switch(0, "a", "ghost", "g")) == {V.SWITCHOVER_TO}
    assert pair(on(0, "admit", "n2"), switch(1, "a", "s", "g")) == {V.SWITCHOVER_TO}
    assert pair(switch(0, "a", "s", "g"), servers=(PAIR[0], replace(PAIR[1], vm_state="stopped"))) == {
        V.SWITCHOVER_TO
    }


def test_an_active_is_not_moved_as_a_standby() -> None:
    assert pair(*move(0, 9, "a", "n1", "n3", "standby")) == {V.KIND_UNFIT}
    assert pair(switch(0, "a", "s", "g"), *move(1, 9, "a", "n1", "n3", "standby")) == set()


def test_members_that_are_moved_like_any_server_have_to_leave() -> None:
    events = (on(0, "admit", "n1"), *move(1, 9, "a", "n1", "n3"), *upgrade("n1"), on(960, "admit", "n2"))
    assert pair(*events, on(961, "upgrade_start", "n2")) == {V.SERVER_LEFT_BEHIND, V.RESULT_MISMATCH}


# --- claims and bounds


@pytest.mark.parametrize(
    "claim",
    [
        {"moves": 3},
        {"standby_moves": 1},
        {"switchovers": 0},
        {"makespan_seconds": 2793.0},
        {"moves_lower_bound": 4},
        {"makespan_lower_bound_seconds": 1e9},
        {"upgraded": ["n1", "n2"]},
        {"moves": None},
        {"moves": True},
    ],
)
def test_a_result_that_the_events_do_not_bear_out(claim: dict[str, Any]) -> None:
    report = judge(CLEAN, **claim)
    assert codes(report) == {V.RESULT_MISMATCH}
    assert next(iter(claim)) in report.violations[0].message


def test_a_node_that_is_said_to_be_held_and_was_upgraded() -> None:
    assert codes(judge(CLEAN, held={"n3": "capacity"})) == {V.RESULT_MISMATCH}


def test_a_bound_may_be_claimed_lower_than_it_is() -> None:
    assert judge(CLEAN, moves_lower_bound=2, makespan_lower_bound_seconds=0).clean


def test_the_digest_of_the_snapshot() -> None:
    document = trace(CLEAN) | {"snapshot_sha256": "a"}
    assert check_trace(SNAPSHOT, document, ReplayOptions(snapshot_sha256="a")).clean
    assert codes(check_trace(SNAPSHOT, document, ReplayOptions(snapshot_sha256="b"))) == {V.SNAPSHOT_MISMATCH}


@pytest.mark.parametrize(
    ("more", "bound"),
    [({}, 8), ({"empty": node("empty")}, 6), ({"spare": node("spare", target=False)}, 6)],
)
def test_the_bound_of_moves_counts_the_first_node_twice_unless_there_is_room(
    more: dict[str, Any], bound: int
) -> None:
    servers = [server(f"{h}-{n}", h) for h, count in (("n1", 4), ("n2", 2)) for n in range(count)]
    snapshot = cloud(node("n1"), node("n2"), *more.values(), servers=servers)
    clear = [*move(1, 5, "n2-0", "n2", "n1"), *move(6, 9, "n2-1", "n2", "n1")]
    back = [
        event
        for n, name in enumerate((*(s.id for s in servers),))
        for event in move(1000 + n, 1001 + n, name, "n1", "n2")
    ]
    first = [*upgrade("empty", 0)] if "empty" in more else []
    head = [on(0, "admit", "empty")] if first else []
    events = [
        *head,
        *[e | {"t": 0} for e in first],
        on(0, "admit", "n2"),
        *clear,
        *upgrade("n2"),
        on(960, "admit", "n1"),
        *back,
        *upgrade("n1", 2000),
    ]
    report = judge(events, snapshot=snapshot)
    assert report.violations == ()
    assert report.facts.moves_lower_bound == bound


def test_the_bound_of_the_makespan_from_given_durations() -> None:
    options = ReplayOptions(
        upgrade_seconds=100.0,
        migration_fixed_seconds=8.0,
        migration_seconds_per_gib=1.0,
        concurrent_migrations=1,
    )
    facts = judge(CLEAN, options=options).facts
    # n1: two moves of 4 GiB; n2: none; n3: one; one at a time
    assert facts.makespan_lower_bound_seconds == pytest.approx(3 * 100 + 3 * 12)


def test_the_bound_of_the_makespan_by_free_capacity() -> None:
    room = {"MEMORY_MB": ResourceInventory(total=5120)}
    small = {"MEMORY_MB": 4096}
    nodes = [node(f"n{n}", inventory=room) for n in range(4)]
    servers = [server(f"s{n}", f"n{n}", resources=small) for n in range(1, 4)]
    snapshot = cloud(*nodes, servers=servers)
    events = [on(0, "admit", "n0"), *upgrade("n0", 0)]
    t = 1000.0
    for n in range(1, 4):
        events += [
            on(t, "admit", f"n{n}"),
            *move(t + 1, t + 2, f"s{n}", f"n{n}", f"n{n - 1}"),
            *upgrade(f"n{n}", t + 3),
        ]
        t += 1000
    options = ReplayOptions(upgrade_seconds=900.0, migration_fixed_seconds=1.0)
    facts = judge(events, snapshot=snapshot, options=options, parallel=4).facts
    used = 3 * 4096 / (4 * 5120)
    assert facts.makespan_lower_bound_seconds == pytest.approx(900 / (1 - used))


def test_servers_that_are_stuck() -> None:
    facts = judge(CLEAN[:-5], held={"n3": "no capacity"}).facts
    assert (facts.stuck, facts.upgraded, facts.held) == (1, ("n1", "n2"), ("n3",))


# --- documents


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"schema": "escalator.trace/2"}, "schema"),
        ({"max_parallel": 0}, "max_parallel"),
        ({"events": {}}, "events"),
        ({"events": [{"t": 0, "event": "explode"}]}, "explode"),
        ({"events": [{"t": "soon", "event": "admit", "host": "n1"}]}, "events[0].t"),
        ({"events": [{"t": float("nan"), "event": "admit", "host": "n1"}]}, "events[0].t"),
        ({"events": [{"t": 0, "event": "admit"}]}, "events[0].host"),
        ({"events": [move(0, 1, "web", "n1", "n2", "warp")[0]]}, "kind"),
        ({"result": []}, "result"),
        ({"result": {"upgraded": [1], "held": []}}, "upgraded"),
        ({"result": {"upgraded": [], "held": ["n1"]}}, "held[0]"),
    ],
)
def test_what_is_no_trace_is_refused(change: Document, word: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"fault") as caught:
        check_trace(SNAPSHOT, trace(CLEAN) | change)
    assert word in caught.value.message


def test_a_violation_says_when_what_and_how() -> None:
    text = str(judge(without(9)).violations[0])
    assert text == "t=944.0 server pin: is stopped when node n1 is released [not_started_again]"
    assert DOMAIN in str(judge([*CLEAN[:2], *move(2, 20, "web", "n1", "far"), *CLEAN[4:]]).violations[0])
