from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.builders import make_cloud, make_pair, make_server, make_target

from escalator.model.cloud import CloudSnapshot, HaGroup
from escalator.model.verdict import Code
from escalator.upgrade_manager.state.availability import Availability
from escalator.upgrade_manager.state.memberships import Memberships


def of(snapshot: CloudSnapshot, **more: Any) -> Availability:
    return Availability(Memberships(snapshot), **more)


def one_pair(**limits: Any) -> CloudSnapshot:
    group, members = make_pair("db", "a", "b", **limits)
    return make_cloud([make_target("a"), make_target("b"), make_target("c")], members, ha_groups=(group,))


def test_a_node_may_go_while_the_other_member_serves() -> None:
    assert of(one_pair()).find_obstacle("a", 0.0) is None


def test_a_node_waits_while_the_other_member_is_out_for_whatever_reason() -> None:
    found = of(one_pair(), out={"b"}).find_obstacle("a", 0.0)
    assert found is not None
    assert not found.lasting
    assert found.until is None
    assert "HA group db has 1 member(s) impacted on b, and 1 may be impacted at once" in found.message


def test_a_member_that_does_not_run_counts_as_impacted() -> None:
    snapshot = one_pair()
    still = replace(snapshot.servers[1], power_state="shutdown")
    assert of(replace(snapshot, servers=(snapshot.servers[0], still))).find_obstacle("a", 0.0) is not None


def test_a_member_that_is_nowhere_counts_as_impacted() -> None:
    snapshot = one_pair()
    found = of(replace(snapshot, servers=snapshot.servers[:1])).find_obstacle("a", 0.0)
    assert found is not None
    assert "no node" in found.message


def test_a_member_on_a_host_that_is_no_node_of_the_cloud_counts_as_impacted() -> None:
    """Its nova-compute was deleted or renamed: nobody can say that it serves."""
    snapshot = one_pair()
    lost = replace(snapshot.servers[1], host="node-99")
    availability = of(replace(snapshot, servers=(snapshot.servers[0], lost)))
    found = availability.find_obstacle("a", 0.0)
    assert found is not None
    assert "1 member(s) impacted on node-99" in found.message
    assert not availability.serves(lost.id)


def test_recovery_lasts_its_time_and_no_longer() -> None:
    availability = of(one_pair(recovery_seconds=60.0))
    availability.take_out("b")
    availability.give_back("b", 100.0)
    found = availability.find_obstacle("a", 130.0)
    assert found is not None
    assert found.until == 160.0
    assert "recovering" in found.message
    assert availability.find_next_change(130.0) == 160.0
    assert availability.find_obstacle("a", 160.0) is None
    assert availability.find_next_change(160.0) is None


def test_what_the_ledger_says_of_returns_counts() -> None:
    availability = of(one_pair(recovery_seconds=60.0), given_back={"b": 100.0})
    assert availability.find_obstacle("a", 159.0) is not None
    assert availability.find_obstacle("a", 161.0) is None


def test_notice_is_given_its_lead_time() -> None:
    availability = of(one_pair(lead_seconds=120.0), noticed_at=1000.0)
    found = availability.find_obstacle("a", 1060.0)
    assert found is not None
    assert (found.code, found.until) == (Code.HA_NOTICE, 1120.0)
    assert availability.find_obstacle("a", 1120.0) is None


def test_servers_that_nothing_stands_in_for_are_given_their_lead_time() -> None:
    alone = make_server("alone", "a", lead_seconds=120.0)
    group, members = make_pair("db", "b", "c", lead_seconds=60.0)
    nodes = [make_target("a"), make_target("b"), make_target("c")]
    snapshot = make_cloud(nodes, [alone, *members], ha_groups=(replace(group, mode="none"),))
    availability = of(snapshot, noticed_at=1000.0)
    found = availability.find_obstacle("a", 1060.0)
    assert found is not None
    assert (found.code, found.until) == (Code.HA_NOTICE, 1120.0)
    assert found.message == "server alone is given 120 s of notice"
    assert availability.find_obstacle("b", 1059.0) is not None
    assert availability.find_obstacle("b", 1060.0) is None
    assert availability.find_next_change(1059.0) == 1060.0
    assert availability.find_next_change(1060.0) == 1120.0
    assert availability.find_obstacle("a", 1120.0) is None


def test_the_word_of_a_manager_ends_the_lead_time_of_its_servers_only() -> None:
    snapshot = one_pair(lead_seconds=120.0)
    availability = of(snapshot, noticed_at=1000.0, ready={"id-db-a"})
    assert availability.find_obstacle("a", 1000.0) is None
    assert availability.find_obstacle("b", 1000.0) is not None


def test_more_members_on_a_node_than_may_be_impacted_is_lasting() -> None:
    group, members = make_pair("db", "a", "a")
    found = of(make_cloud([make_target("a"), make_target("b")], members, ha_groups=(group,))).find_obstacle(
        "a", 0.0
    )
    assert found is not None
    assert found.lasting


def test_a_group_that_can_never_be_impacted_is_lasting() -> None:
    found = of(one_pair(min_preserved=2)).find_obstacle("a", 0.0)
    assert found is not None
    assert found.lasting


@pytest.mark.parametrize(("impacted", "waits"), [(1, True), (2, False)])
def test_load_balanced_members_by_their_limit(*, impacted: int, waits: bool) -> None:
    servers = [make_server(f"m{i}", host, ha_group="lb") for i, host in enumerate("abc")]
    group = HaGroup(
        id="lb", mode="load-balanced", members=tuple(s.id for s in servers), max_impacted=impacted
    )
    availability = of(make_cloud(map(make_target, "abc"), servers, ha_groups=(group,)), out={"c"})
    assert (availability.find_obstacle("a", 0.0) is not None) is waits


def test_a_group_of_mode_none_is_in_nobodys_way_unless_it_has_limits() -> None:
    snapshot = one_pair()
    loose = replace(snapshot.ha_groups[0], mode="none", max_impacted=None, min_preserved=None)
    assert of(replace(snapshot, ha_groups=(loose,)), out={"b"}).find_obstacle("a", 0.0) is None
    for limits in ({"max_impacted": 1}, {"min_preserved": 1}):
        limited = replace(snapshot, ha_groups=(replace(loose, **limits),))
        assert of(limited, out={"b"}).find_obstacle("a", 0.0) is not None
        assert of(limited).find_obstacle("a", 0.0) is None


def test_roles_and_places_are_kept_up() -> None:
    availability = of(one_pair())
    assert availability.is_active("id-db-a")
    availability.switch("id-db-a", "id-db-s")
    assert not availability.is_active("id-db-a")
    availability.relocate("id-db-s", "c")
    assert availability.host_of("id-db-s") == "c"
    availability.take_out("c")
    assert not availability.serves("id-db-s")
    assert availability.find_obstacle("b", 0.0) is None
    assert availability.find_obstacle("a", 0.0) is not None
