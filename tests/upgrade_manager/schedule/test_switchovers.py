from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import make_busy_node, make_cloud, make_pair, make_server, make_target
from tests.upgrade_manager.schedule.rounds import going, round_state

from escalator.upgrade_manager.drain.placing import DrainSimulation
from escalator.upgrade_manager.schedule.round_state import Departure
from escalator.upgrade_manager.schedule.switchovers import (
    plan_standby_move,
    plan_switchovers,
    sort_standbys,
)
from escalator.upgrade_manager.state.capacity import Tier


def test_a_standby_on_an_upgraded_node_takes_over_at_once() -> None:
    group, members = make_pair("db", "a", "u")
    state = round_state(
        make_cloud(
            [make_target("a"), make_target("b"), make_target("u", upgraded=True)], members, ha_groups=(group,)
        )
    )
    assert going(state) == ["a"]
    (found,) = plan_switchovers(state, "a")
    assert (found.active, found.standby, found.move_to) == ("id-db-a", "id-db-s", None)


def test_a_standby_on_a_pending_node_moves_first_where_there_is_room_to_spare() -> None:
    group, members = make_pair("db", "a", "b")
    nodes = [make_target("a"), make_target("b"), make_target("u", upgraded=True)]
    state = round_state(make_cloud(nodes, members, ha_groups=(group,)))
    going(state)
    (found,) = plan_switchovers(state, "a")
    assert found.move_to == "u"


@pytest.mark.parametrize(
    "fields",
    [{"migration": "cold"}, {"migration": "none"}, {"vm_state": "stopped"}, {"power_state": "crashed"}],
)
def test_a_standby_that_cannot_be_moved_live_stays(fields: dict[str, str]) -> None:
    group, (active, standby) = make_pair("db", "a", "b")
    nodes = [make_target("a"), make_target("b"), make_target("u", upgraded=True)]
    snapshot = make_cloud(nodes, (active, replace(standby, **fields)), ha_groups=(group,))
    state = round_state(snapshot)
    going(state)
    assert [found.move_to for found in plan_switchovers(state, "a")] in ([None], [])


def test_a_standby_on_a_host_that_is_no_node_takes_nothing_over() -> None:
    group, (active, standby) = make_pair("db", "a", "b")
    nodes = [make_target("a"), make_target("b"), make_target("u", upgraded=True)]
    lost = (active, replace(standby, host="node-99"))
    state = round_state(make_cloud(nodes, lost, ha_groups=(replace(group, max_impacted=2),)))
    assert list(plan_switchovers(state, "a")) == []


def test_a_standby_on_a_node_that_waits_no_more_stays() -> None:
    group, members = make_pair("db", "a", "b")
    nodes = [make_target("a"), make_target("b"), make_target("u", upgraded=True)]
    state = round_state(make_cloud(nodes, members, ha_groups=(group,)), rank_of={"a": 0})
    assert plan_standby_move(state, group, members[1].id) is None


@pytest.mark.parametrize(("room_on_the_next", "destination"), [(100, None), (200, "u")])
def test_a_standby_stays_where_its_room_will_be_wanted(
    room_on_the_next: int, destination: str | None
) -> None:
    group, members = make_pair("db", "a", "c")
    servers = [make_server("x", "c", memory=15000), *members]
    nodes = [
        make_target("a"),
        make_target("b", memory=512 + room_on_the_next),
        make_target("c", memory=20000),
    ]
    nodes += [make_target("u", upgraded=True), make_busy_node("v")]
    state = round_state(make_cloud(nodes, servers, ha_groups=(group,)), slots=3)
    state.admit(Departure(host="a", simulation=DrainSimulation(placements={}, unplaced=())))
    (found,) = plan_switchovers(state, "a")
    assert found.move_to == destination


def test_a_standby_never_joins_another_member() -> None:
    group, members = make_pair("db", "a", "b")
    third = make_server("db-t", "u", ha_group="db", ha_role="standby", power_state="shutdown")
    nodes = [make_target("a"), make_target("b"), make_target("u", upgraded=True)]
    snapshot = make_cloud(nodes, [*members, third], ha_groups=(group,))
    state = round_state(snapshot)
    (found,) = plan_switchovers(state, "a")
    assert (found.standby, found.move_to) == ("id-db-s", None)


def test_a_group_without_a_standby_in_service_is_left_out() -> None:
    group, (active, standby) = make_pair("db", "a", "b")
    state = round_state(
        make_cloud([make_target("a"), make_target("b")], (active, standby), ha_groups=(group,))
    )
    state.availability.take_out("b")
    assert list(plan_switchovers(state, "a")) == []


def test_standbys_stay_where_they_are_when_they_are_not_to_move() -> None:
    group, members = make_pair("db", "a", "b")
    nodes = [make_target("a"), make_target("b"), make_target("u", upgraded=True)]
    state = round_state(make_cloud(nodes, members, ha_groups=(group,)))
    (found,) = plan_switchovers(state, "a", move_standbys=False)
    assert (found.standby, found.move_to) == ("id-db-s", None)


def test_members_on_better_nodes_take_over_first() -> None:
    tiers = {"a": Tier.PENDING, "b": Tier.SPARE, "c": Tier.UPGRADED, "d": Tier.UPGRADED}
    assert sort_standbys(reversed("abcd"), tiers.__getitem__) == ["c", "d", "b", "a"]
