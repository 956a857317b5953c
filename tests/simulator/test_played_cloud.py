from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.builders import DOMAINS, disabled, make_busy_node, make_cloud, make_pair, make_server, make_target

from escalator.model.cloud import CloudSnapshot
from escalator.simulator.engine import simulate
from escalator.simulator.options import SimulationOptions
from escalator.simulator.played_cloud import (
    PlayedCloud,
    explain_refusal,
    find_refusals,
    find_targets,
    open_played_cloud,
)
from escalator.upgrade_manager.schedule.round import Round


def opened(snapshot: CloudSnapshot, **asked: Any) -> PlayedCloud:
    return open_played_cloud(snapshot, SimulationOptions(**asked))


def going(played: PlayedCloud, now: float = 0.0) -> list[str]:
    return [departure.host for departure in Round(played.state, now).choose_departures()]


def test_targets_are_what_the_snapshot_says_else_all_that_is_not_upgraded() -> None:
    marked = [make_target("a"), make_busy_node("b"), make_target("c", upgraded=True)]
    assert find_targets(make_cloud(marked)) == ("a",)
    unmarked = [make_busy_node("a"), make_busy_node("b"), make_busy_node("c", upgraded=True)]
    assert find_targets(make_cloud(unmarked)) == ("a", "b")


def test_a_target_that_may_not_be_touched_is_barred_with_its_reason() -> None:
    played = opened(make_cloud([make_target("a"), disabled(make_target("b"), "broken fan")]))
    assert played.order.going == ("a",)
    (code, reason) = played.barred["b"]
    assert code == "disabled_by_others"
    assert "broken fan" in reason


def test_a_node_is_in_service_again_when_it_is_given_back() -> None:
    played = opened(make_cloud([make_target("a"), make_target("b")]))
    (first,) = going(played)
    assert going(played) == []
    played.give_back(first, 100.0)
    (second,) = going(played, 100.0)
    assert {first, second} == {"a", "b"}


def test_a_server_that_lands_is_on_its_destination() -> None:
    nodes = [make_target("a"), make_target("spare", upgraded=True)]
    played = opened(make_cloud(nodes, [make_server("s", "a")]))
    (departure,) = Round(played.state, 0.0).choose_departures()
    server = played.server("id-s")
    assert played.state.book.servers("a") == [server]
    assert departure.simulation.placements == {"id-s": "spare"}
    played.land(server, "spare")
    assert played.server("id-s").host == "spare"
    assert played.state.book.servers("a") == []


def test_servers_that_stay_and_run_stop_with_their_node() -> None:
    group, (active, standby) = make_pair("db", "a", "b")
    off = make_server("off", "a", migration="none", power_state="shutdown")
    snapshot = make_cloud([make_target("a"), make_target("b")], [active, standby, off], ha_groups=(group,))
    assert opened(snapshot).stopped_on("a") == [active]


def test_what_the_other_nodes_have_no_room_for_is_refused_with_numbers() -> None:
    nodes = [make_target("a", memory=8704), make_target("b", memory=8704)]
    servers = [make_server("large", "a", memory=4096), make_server("full", "b", memory=5000)]
    played = opened(make_cloud(nodes, servers))
    lacking = find_refusals(played)
    message = "its servers want 4096 MEMORY_MB, and the other nodes of cell1/az1/general have 3192"
    assert lacking["a"] == ("capacity", message)
    assert find_refusals(opened(make_cloud(nodes, servers[:1]))) == {}


def test_a_refused_campaign_names_what_lacks_room_at_every_target() -> None:
    nodes = [make_target("a"), make_target("b"), disabled(make_target("c"))]
    reasons = explain_refusal(opened(make_cloud(nodes)), {"a": ("capacity", "no room")})
    assert reasons["a"] == ("capacity", "no room")
    assert reasons["b"][1] == "the campaign is refused before its start: a cannot be emptied"
    assert reasons["c"][0] == "disabled_by_others"


def test_a_target_without_room_says_why_it_is_held() -> None:
    nodes = [make_target("a"), make_target("b", memory=2048)]
    played = opened(make_cloud(nodes, [make_server("s", "a", memory=4096)]))
    (only,) = going(played)
    assert only == "b"
    played.give_back("b", 100.0)
    ((host, (code, reason)),) = played.explain_held(100.0).items()
    assert (host, code) == ("a", "capacity")
    assert "b, lacks 2560 MEMORY_MB" in reason


def test_a_place_that_is_free_again_is_one_for_every_domain_beside_the_leases_of_others() -> None:
    theirs = "escalator:other:0123456789ab:0000000000000001 max_parallel=2 upgrade"
    nodes = [
        make_target("a", domain=DOMAINS[0]),
        *(make_target(host, domain=DOMAINS[1]) for host in "bc"),
        disabled(make_busy_node("x", domain=DOMAINS[1]), theirs),
    ]
    trace = simulate(make_cloud(nodes), SimulationOptions(max_parallel=2))
    assert trace["result"]["upgraded"] == ["a", "b", "c"]


def test_a_member_on_a_host_that_is_no_node_wakes_no_domain() -> None:
    group, (here, away) = make_pair("db", "a", "b", recovery_seconds=300.0, max_impacted=2)
    lost = replace(away, host="node-99")
    cloud = make_cloud([make_target("a"), make_target("b")], (here, lost), ha_groups=(group,))
    assert simulate(cloud, SimulationOptions())["result"]["upgraded"] == ["a", "b"]
