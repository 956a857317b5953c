from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.builders import DOMAINS, make_busy_node, make_cloud, make_pair, make_server, make_target

from escalator.model.campaign import UpgradeMode
from escalator.model.cloud import CloudSnapshot, ResourceInventory, ServiceStatus
from escalator.replay import check_trace
from escalator.simulator.engine import simulate
from escalator.simulator.options import SimulationOptions


def play(snapshot: CloudSnapshot, **options: Any) -> dict[str, Any]:
    trace = simulate(snapshot, SimulationOptions(**options))
    assert check_trace(snapshot, trace).violations == ()
    return trace


def told(trace: dict[str, Any], *kinds: str) -> list[tuple[float, str, str]]:
    return [
        (e["t"], e["event"], e.get("host") or e.get("server") or e["ha_group"])
        for e in trace["events"]
        if not kinds or e["event"] in kinds
    ]


def test_two_nodes_one_after_the_other() -> None:
    trace = play(
        make_cloud([make_target("a"), make_target("b")], [make_server("s", "a", memory=1024)]),
        upgrade_seconds=100,
    )
    assert told(trace) == [
        (0.0, "admit", "b"),
        (0.0, "upgrade_start", "b"),
        (100.0, "upgrade_end", "b"),
        (100.0, "release", "b"),
        (100.0, "admit", "a"),
        (100.0, "move_start", "id-s"),
        (109.07, "move_end", "id-s"),
        (109.07, "upgrade_start", "a"),
        (209.07, "upgrade_end", "a"),
        (209.07, "release", "a"),
    ]
    assert trace["schema"] == "escalator.trace/1"
    result = trace["result"]
    assert (result["moves"], result["moves_lower_bound"]) == (1, 1)
    assert (result["makespan_seconds"], result["makespan_lower_bound_seconds"]) == (209.07, 209.07)


def test_a_node_serves_for_a_while_before_the_next_one_goes() -> None:
    cloud = make_cloud([make_target(host) for host in "abc"])
    trace = play(cloud, max_parallel=1, soak_seconds=600.0)
    times = {kind: [t for t, *_ in told(trace, kind)] for kind in ("admit", "release")}
    assert [later - back for back, later in zip(times["release"], times["admit"][1:], strict=False)] == [
        600.0,
        600.0,
    ]


@pytest.mark.parametrize("seconds", [35.585, 2028.345, 8191.667])
def test_a_soak_whose_end_is_no_whole_millisecond_as_a_float_ends_all_the_same(seconds: float) -> None:
    assert seconds + 30.0 > round(seconds + 30.0, 3)
    cloud = make_cloud([make_target(host) for host in "abc"])
    trace = play(cloud, max_parallel=1, soak_seconds=30.0, upgrade_seconds=seconds)
    assert sorted(trace["result"]["upgraded"]) == ["a", "b", "c"]


def test_the_service_is_away_before_the_upgrade_and_members_stop_and_start() -> None:
    group, members = make_pair("db", "a", "b")
    trace = play(make_cloud([make_target("a"), make_target("b")], members, ha_groups=(group,)))
    assert [e for _, e, _ in told(trace)].count("switchover") == 1
    first = trace["events"][0]["host"]
    assert first == "b"
    assert told(trace, "stop", "start")[0][1:] == ("stop", "id-db-s")


def test_the_wrong_order_is_mended_by_moving_the_standby() -> None:
    one, ones = make_pair("x", "a", "b")
    two, twos = make_pair("y", "b", "a")
    snapshot = make_cloud(
        [make_target("a"), make_target("b"), make_target("u", upgraded=True)],
        [*ones, *twos],
        ha_groups=(one, two),
    )
    result = play(snapshot)["result"]
    assert (result["switchovers"], result["standby_moves"]) == (2, 1)


def test_recovery_is_waited_for() -> None:
    group, members = make_pair("db", "a", "b", recovery_seconds=500)
    trace = play(
        make_cloud([make_target("a"), make_target("b")], members, ha_groups=(group,)),
        max_parallel=2,
        upgrade_seconds=10,
    )
    assert [t for t, _, _ in told(trace, "admit")] == [0.0, 510.0]


def test_moves_of_one_node_go_side_by_side_only_as_far_as_asked() -> None:
    servers = [make_server(f"s{i}", "a", memory=1024) for i in range(3)]
    snapshot = make_cloud([make_target("a"), make_target("b", upgraded=True)], servers)
    one = play(snapshot, migration_fixed_seconds=10, migration_seconds_per_gib=0, upgrade_seconds=1)
    many = play(
        snapshot,
        migration_fixed_seconds=10,
        migration_seconds_per_gib=0,
        upgrade_seconds=1,
        concurrent_migrations=3,
    )
    assert one["result"]["makespan_seconds"] == 31.0
    assert many["result"]["makespan_seconds"] == 11.0


def test_nodes_that_are_not_ours_stay_and_say_why() -> None:
    snapshot = make_cloud(
        [
            make_target("a"),
            make_target("b"),
            replace(make_target("c"), status=ServiceStatus.DISABLED, disabled_reason="broken fan"),
        ]
    )
    result = play(snapshot)["result"]
    assert result["upgraded"] == ["a", "b"]
    assert [(h["host"], h["code"]) for h in result["held"]] == [("c", "disabled_by_others")]


def test_a_campaign_without_room_is_refused_before_anything_happens() -> None:
    nodes = [make_target(host) for host in "abc"]
    servers = [make_server(f"{host}{i}", host, memory=4096) for host in "abc" for i in range(3)]
    trace = play(make_cloud(nodes, servers))
    assert trace["events"] == []
    held = {h["host"]: h for h in trace["result"]["held"]}
    assert set(held) == set("abc")
    assert "12288 MEMORY_MB, and the other nodes of" in held["a"]["reason"]


def test_only_what_lacks_room_is_named_and_the_rest_is_refused_with_it() -> None:
    nodes = [make_target("a", memory=65536), make_target("b"), make_target("c", domain=DOMAINS[1])]
    trace = play(make_cloud(nodes, [make_server("big", "a", memory=40000)]))
    held = {h["host"]: h["reason"] for h in trace["result"]["held"]}
    assert "refused before its start: a cannot be emptied" in held["c"]
    assert trace["events"] == []


def test_what_cannot_be_moved_stops_around_the_upgrade_or_holds_its_node() -> None:
    snapshot = make_cloud([make_target("a"), make_target("b")], [make_server("s", "a", migration="none")])
    loud = play(snapshot, mode=UpgradeMode.NON_SMOOTH)
    assert [e for _, e, _ in told(loud, "stop", "start")] == ["stop", "start"]
    smooth = play(snapshot, mode=UpgradeMode.SMOOTH)
    assert [(h["host"], h["code"]) for h in smooth["result"]["held"]] == [("a", "server_pinned")]
    assert smooth["result"]["upgraded"] == ["b"]


def test_servers_in_every_state_hold_their_node_or_move() -> None:
    states = ["active", "paused", "stopped", "suspended", "rescued", "error", "resized", "building"]
    nodes = [make_target(f"n-{state}") for state in states] + [make_busy_node("spare", memory=65536)]
    servers = [make_server(state, f"n-{state}", vm_state=state) for state in states]
    result = play(make_cloud(nodes, servers))["result"]
    assert result["upgraded"] == ["n-active", "n-building", "n-paused", "n-stopped"]  # built by then
    assert len(result["held"]) == 4


def test_without_targets_all_that_is_not_upgraded_is_one() -> None:
    snapshot = make_cloud([make_busy_node("a"), make_busy_node("b", upgraded=True)])
    assert play(snapshot)["result"]["upgraded"] == ["a"]


def test_an_empty_cloud_has_nothing_to_do() -> None:
    trace = play(make_cloud())
    assert trace["events"] == []
    assert trace["result"]["makespan_seconds"] == 0.0


def test_no_standby_moves_where_its_place_would_be_lacking_to_a_later_node() -> None:
    pairs = [make_pair("db", "a", "c"), make_pair("gw", "c", "a"), make_pair("ims", "c", "a")]
    members = [member for _, both in pairs for member in both]
    wide = make_server("wide", "c", resources={"VCPU": 32, "MEMORY_MB": 1024, "DISK_GB": 10})
    large = {"VCPU": ResourceInventory(total=64), "MEMORY_MB": ResourceInventory(total=16384)}
    nodes = [make_target("a"), make_target("c", inventory=large), make_target("u", upgraded=True)]
    snapshot = make_cloud(nodes, [wide, *members], ha_groups=tuple(group for group, _ in pairs))
    trace = play(snapshot)
    assert [host for _, _, host in told(trace, "admit")] == ["a", "c"]
    assert trace["result"]["standby_moves"] == 0


def test_a_node_waits_for_the_lead_time_of_a_server_of_no_group_and_others_go_before() -> None:
    servers = [make_server("led", "a", lead_seconds=900.0), make_server("other", "b")]
    trace = play(make_cloud([make_target(host) for host in "abc"], servers), upgrade_seconds=100)
    begun = {host: t for t, _, host in told(trace, "admit")}
    assert begun["a"] == 900.0
    assert max(begun["b"], begun["c"]) < 300.0
