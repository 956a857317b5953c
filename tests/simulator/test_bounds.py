from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from tests.builders import DOMAINS, make_cloud, make_pair, make_server, make_target
from tests.simulator.fleets import fleets, some

from escalator.model.cloud import CloudSnapshot
from escalator.simulator.bounds import LowerBounds, compute_lower_bounds
from escalator.simulator.engine import simulate
from escalator.simulator.options import SimulationOptions
from escalator.simulator.played_cloud import open_played_cloud

MOVE_SECONDS = 10.0


def bounds(snapshot: CloudSnapshot, **asked: Any) -> LowerBounds:
    fixed = {
        "migration_fixed_seconds": MOVE_SECONDS,
        "migration_seconds_per_gib": 0.0,
        "upgrade_seconds": 100.0,
    }
    options = SimulationOptions(**{**fixed, **asked})
    return compute_lower_bounds(open_played_cloud(snapshot, options), options)


def servers_on(**counts: int) -> list[Any]:
    return [make_server(f"{host}-{i}", host, memory=256) for host, n in counts.items() for i in range(n)]


def test_without_a_spare_node_the_lightest_node_of_a_domain_is_moved_twice() -> None:
    found = bounds(make_cloud([make_target("a"), make_target("b")], servers_on(a=3, b=1)))
    assert found.moves == 3 + 1 + 1
    assert found.makespan_seconds == 2 * 100.0 + 5 * MOVE_SECONDS


def test_with_a_node_that_takes_servers_for_good_every_server_moves_once() -> None:
    nodes = [make_target("a"), make_target("b"), make_target("spare", upgraded=True)]
    assert bounds(make_cloud(nodes, servers_on(a=3, b=1))).moves == 4


def test_every_domain_has_a_first_node() -> None:
    nodes = [make_target(host, domain=domain) for host, domain in zip("abcd", DOMAINS * 2, strict=True)]
    assert bounds(make_cloud(nodes, servers_on(a=2, b=3, c=2, d=3))).moves == 10 + 2 + 3


def test_members_of_ha_groups_that_stay_are_no_moves() -> None:
    group, members = make_pair("db", "a", "b")
    snapshot = make_cloud([make_target("a"), make_target("b")], members, ha_groups=(group,))
    assert bounds(snapshot).moves == 0
    assert bounds(snapshot, members_stay=False).moves == 3


@pytest.mark.parametrize(("places", "seconds"), [(1, 230.0), (2, 130.0), (9, 130.0)])
def test_the_longest_node_and_the_places_bound_the_time(places: int, seconds: float) -> None:
    nodes = [make_target("a"), make_target("b"), make_target("spare", upgraded=True)]
    assert bounds(make_cloud(nodes, servers_on(a=3)), max_parallel=places).makespan_seconds == seconds


def test_moves_side_by_side_shorten_the_time_and_are_as_many() -> None:
    nodes = [make_target("a"), make_target("spare", upgraded=True)]
    found = bounds(make_cloud(nodes, servers_on(a=4)), concurrent_migrations=2)
    assert (found.moves, found.makespan_seconds) == (4, 120.0)


def test_a_node_that_is_left_out_takes_servers_for_good() -> None:
    found = bounds(make_cloud([make_target("a"), make_target("b")], servers_on(a=3, b=1)))
    assert found.without({"b"}).moves == 3
    assert found.without({"a", "b"}).makespan_seconds == 0.0


@given(fleets())
@some
def test_no_played_campaign_goes_below_its_bounds(snapshot: CloudSnapshot) -> None:
    result = simulate(snapshot, SimulationOptions())["result"]
    assert result["moves"] >= result["moves_lower_bound"]
    assert result["makespan_seconds"] >= result["makespan_lower_bound_seconds"]
