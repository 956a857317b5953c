from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import DOMAIN, make_cloud, make_node, make_server

from escalator.model.cloud import CloudSnapshot, Node, ResourceInventory, Server, ServerGroup
from escalator.upgrade_manager.feasibility.sequence import drain_in_turn
from escalator.upgrade_manager.feasibility.spare import add_spares, propose_spare

many = settings(max_examples=120, deadline=None, derandomize=True)
GIB = 1024
Layout = dict[str, str]


def hosts_of(snapshot: CloudSnapshot) -> list[str]:
    return [n.host for n in snapshot.nodes]


@st.composite
def small_clouds(draw: st.DrawFn) -> CloudSnapshot:
    """Draw up to three nodes of one or two sizes, and up to five servers that fit where they are."""
    nodes = [
        make_node(f"n{i}", memory=draw(st.sampled_from([4, 4, 6])) * GIB)
        for i in range(draw(st.integers(1, 3)))
    ]
    servers: list[Server] = []
    for number in range(draw(st.integers(1, 5))):
        home = draw(st.sampled_from(nodes))
        free = home.inventory["MEMORY_MB"].total - sum(
            s.resources["MEMORY_MB"] for s in servers if s.host == home.host
        )
        if free >= GIB:
            memory = draw(st.integers(1, free // GIB)) * GIB
            servers.append(make_server(f"s{number}", home.host, memory=memory))
    if draw(st.booleans()) and len(servers) > 1:
        group = ServerGroup(id="g", policy="anti-affinity", members=tuple(s.id for s in servers[:2]))
        if servers[0].host != servers[1].host:
            return make_cloud(nodes, servers, server_groups=(group,))
    return make_cloud(nodes, servers)


class Exhaustive:
    """Every order and every place of every server; shares no code with what it judges."""

    def __init__(self, snapshot: CloudSnapshot) -> None:
        self.sizes = {n.host: n.inventory["MEMORY_MB"].total for n in snapshot.nodes}
        self.memory = {s.id: s.resources["MEMORY_MB"] for s in snapshot.servers}
        self.apart = {m for g in snapshot.server_groups for m in g.members}
        self.seen: set[tuple[object, ...]] = set()

    def fits(self, one: str, host: str, where: Layout) -> bool:
        there = [s for s, h in where.items() if h == host and s != one]
        together = one in self.apart and not self.apart.isdisjoint(there)
        return not together and sum(self.memory[s] for s in (*there, one)) <= self.sizes[host]

    def places(self, where: Layout, leaving: list[str], source: str) -> Iterator[Layout]:
        if not leaving:
            yield where
            return
        for host in self.sizes:
            if host != source and self.fits(leaving[0], host, where):
                yield from self.places({**where, leaving[0]: host}, leaving[1:], source)

    def feasible(self, where: Layout, left: frozenset[str]) -> bool:
        state = (tuple(sorted(where.items())), left)
        if not left or state in self.seen:
            return not left
        self.seen.add(state)
        return any(
            self.feasible(after, left - {host})
            for host in sorted(left)
            for after in self.places(where, [s for s, h in where.items() if h == host], host)
        )


def exhaustively_feasible(snapshot: CloudSnapshot, targets: list[str]) -> bool:
    where = {s.id: str(s.host) for s in snapshot.servers}
    return Exhaustive(snapshot).feasible(where, frozenset(targets))


def with_spares(snapshot: CloudSnapshot, like: Node, number: int) -> CloudSnapshot:
    extra = tuple(replace(like, host=f"x{i}") for i in range(number))
    return replace(snapshot, nodes=(*snapshot.nodes, *extra))


@given(small_clouds())
@many
def test_what_is_called_feasible_is_and_the_rest_is_not(snapshot: CloudSnapshot) -> None:
    found = drain_in_turn(snapshot, hosts_of(snapshot)).feasible
    assert found == exhaustively_feasible(snapshot, hosts_of(snapshot))


@given(small_clouds())
@many
def test_no_smaller_number_of_spare_nodes_would_do(snapshot: CloudSnapshot) -> None:
    targets = hosts_of(snapshot)
    proposal = propose_spare(snapshot, DOMAIN, targets)
    if proposal is None:
        assert exhaustively_feasible(snapshot, targets)
        return
    like = make_node("x", memory=proposal.inventory["MEMORY_MB"].total)
    assert exhaustively_feasible(with_spares(snapshot, like, proposal.nodes), targets)
    assert not exhaustively_feasible(with_spares(snapshot, like, proposal.nodes - 1), targets)
    assert drain_in_turn(add_spares(snapshot, proposal), targets).feasible


@given(small_clouds())
@many
def test_the_order_of_a_sequence_can_be_followed(snapshot: CloudSnapshot) -> None:
    sequence = drain_in_turn(snapshot, hosts_of(snapshot))
    assert sorted((*sequence.order, *sequence.stuck)) == sorted(hosts_of(snapshot))
    assert all(not simulation.feasible for simulation in sequence.stuck.values())


def full(host: str, *sizes: int, memory: int = 8) -> tuple[Node, list[Server]]:
    servers = [make_server(f"{host}-{i}", host, memory=size * GIB) for i, size in enumerate(sizes)]
    return make_node(host, memory=memory * GIB), servers


def test_a_feasible_domain_needs_no_spare() -> None:
    assert (
        propose_spare(
            make_cloud([make_node("a"), make_node("b")], [make_server("s", "a")]), DOMAIN, ["a", "b"]
        )
        is None
    )


def test_the_shape_is_the_most_common_one_of_the_domain() -> None:
    parts = [full("a", 4, 3), full("b", 4, 3), full("c", 5, 5, 5, memory=16)]
    snapshot = make_cloud([n for n, _ in parts], [s for _, servers in parts for s in servers])
    proposal = propose_spare(snapshot, DOMAIN, ["a", "b"])
    assert proposal is not None
    assert (proposal.nodes, proposal.inventory["MEMORY_MB"].total) == (1, 8 * GIB)
    assert proposal.traits == ("COMPUTE_NODE",)


def test_a_larger_shape_is_proposed_where_the_common_one_would_not_do() -> None:
    nodes = [make_node("a", memory=64 * GIB), make_node("b", memory=8 * GIB), make_node("c", memory=8 * GIB)]
    proposal = propose_spare(make_cloud(nodes, [make_server("giant", "a", memory=60 * GIB)]), DOMAIN, ["a"])
    assert proposal is not None
    assert proposal.inventory["MEMORY_MB"].total == 64 * GIB
    assert "nodes of the shape that most nodes of the domain have would not do" in proposal.alternatives


def test_reserved_and_ratio_are_those_of_the_domain() -> None:
    inventory = {
        "VCPU": ResourceInventory(total=4, allocation_ratio=2.0),
        "MEMORY_MB": ResourceInventory(total=8192, reserved=512),
    }
    servers = [make_server(f"s{h}", h, memory=7000, vcpus=8) for h in "ab"]
    servers = [replace(s, resources={"VCPU": 8, "MEMORY_MB": 7000}) for s in servers]
    nodes = [make_node("a", inventory=inventory), make_node("b", inventory=inventory)]
    proposal = propose_spare(make_cloud(nodes, servers), DOMAIN, ["a", "b"])
    assert proposal is not None
    assert (proposal.nodes, proposal.inventory) == (1, inventory)


def test_an_affinity_deadlock_is_not_solved_with_nodes() -> None:
    group = ServerGroup(id="g", policy="affinity", members=("id-x", "id-y"))
    snapshot = make_cloud(
        [make_node("a"), make_node("b")],
        [make_server("x", "a"), make_server("y", "a")],
        server_groups=(group,),
    )
    assert propose_spare(snapshot, DOMAIN, ["a"]) is None


def test_other_domains_do_not_matter() -> None:
    far = [make_node("far", domain="elsewhere"), make_node("farther", domain="elsewhere")]
    snapshot = make_cloud([make_node("a"), *far], [make_server("s", "a")])
    proposal = propose_spare(snapshot, DOMAIN, ["a"])
    assert proposal is not None
    assert (proposal.nodes, proposal.domain) == (1, DOMAIN)


@pytest.mark.parametrize("servers", [1, 3, 12, 20])
def test_many_spares_are_counted_exactly(servers: int) -> None:
    nodes = [
        make_node("a", memory=servers * 4 * GIB),
        *(make_node(f"b{i}", memory=4 * GIB) for i in range(servers + 1)),
    ]
    there = [make_server(f"s{i}", "a", memory=4 * GIB) for i in range(servers)]
    there += [make_server(f"t{i}", f"b{i}", memory=4 * GIB) for i in range(servers + 1)]
    proposal = propose_spare(make_cloud(nodes, there), DOMAIN, ["a", *(f"b{i}" for i in range(servers + 1))])
    assert proposal is not None
    assert (proposal.nodes, proposal.inventory["MEMORY_MB"].total) == (
        servers,
        4 * GIB,
    )


def test_every_order_of_few_nodes_is_tried() -> None:
    snapshot = make_cloud(
        [make_node("a", memory=4 * GIB), make_node("b", memory=6 * GIB), make_node("c", memory=8 * GIB)],
        [
            make_server("s1", "a", memory=4 * GIB),
            make_server("s2", "b", memory=3 * GIB),
            make_server("s3", "c", memory=6 * GIB),
        ],
    )
    outcomes = {drain_in_turn(snapshot, order).feasible for order in permutations("abc")}
    assert outcomes == {exhaustively_feasible(snapshot, ["a", "b", "c"])}
