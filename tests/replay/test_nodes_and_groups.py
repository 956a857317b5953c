from dataclasses import replace
from typing import Any

import pytest
from tests.replay.worlds import (
    CLEAN,
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
    two,
    upgrade,
    without,
)

from escalator.model.cloud import HaGroup, Server, ServiceState, ServiceStatus
from escalator.replay import ReplayOptions
from escalator.replay import ViolationCode as V

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
    group = replace(GROUP, mode="none", max_impacted=1)
    events = (on(0, "admit", "n2"), *move(1, 5, "s", "n2", "n3"), on(6, "admit", "n1"), guest(7, "stop", "a"))
    assert pair(*events, servers=pinned, group=group) == set()
    events = (on(0, "admit", "n1"), on(1, "admit", "n2"), guest(2, "stop", "a"))
    assert pair(*events, servers=pinned, group=group) == {V.HA_IMPACT}


def test_switchovers_from_a_server_that_is_not_active() -> None:
    assert pair(switch(0, "s", "a", "g")) == {V.SWITCHOVER_FROM, V.SWITCHOVER_TO}
    assert pair(switch(0, "a", "s", "g"), switch(1, "a", "s", "g")) == {V.SWITCHOVER_FROM, V.SWITCHOVER_TO}


def test_a_service_that_is_found_at_another_member_is_active_there() -> None:
    found = {"t": 0, "event": "found_active", "ha_group": "g", "server": "s"}
    assert pair(found, switch(1, "s", "a", "g")) == set()
    assert pair(found, switch(1, "a", "s", "g")) == {V.SWITCHOVER_FROM, V.SWITCHOVER_TO}
    assert pair(found | {"ha_group": "nobody"}) == {V.UNKNOWN_GROUP}
    assert pair(found | {"server": "stranger"}) == {V.UNKNOWN_GROUP}


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
