"""Capacity: where the servers of draining nodes would find a place, on paper.

A node is emptied only when a place was found for every server on it. Places are counted from Placement's
inventories and usages; what a drain frees on its source is never counted on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from escalator.model.cloud import CloudSnapshot, Node, Server
from escalator.model.verdict import Code, Subject, SubjectType, Verdict

MEMORY = "MEMORY_MB"
_SHOWN = 3
"""Servers that a message names one by one."""
_GONE = frozenset({"shelved_offloaded", "deleted"})
"""States of servers that take no room on any node."""
_STAYING = _GONE | {"soft-delete"}
"""States of servers that never move to another node."""


class Fit(StrEnum):
    """Which of the nodes with room a server gets; upgraded nodes come first in both."""

    FIRST = "first"
    """The first by name."""
    BEST = "best"
    """The one with the least memory left, so that large gaps stay for large servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainSimulation:
    """Where each server goes (server id -> host), and a verdict for each that found no place."""

    placements: Mapping[str, str]
    unplaced: tuple[Verdict, ...] = ()

    @property
    def feasible(self) -> bool:
        """Tell whether every server found a place."""
        return not self.unplaced

    @property
    def shortfall(self) -> str:
        """Say how many servers found no place, and why the first of them did not; empty when all did."""
        if self.feasible:
            return ""
        reasons = "; ".join(f"{v.subject.name or v.subject.id}: {v.message}" for v in self.unplaced[:_SHOWN])
        more = f"; and {len(self.unplaced) - _SHOWN} more" if len(self.unplaced) > _SHOWN else ""
        total = len(self.unplaced) + len(self.placements)
        return f"{len(self.unplaced)} of {total} servers would have no place ({reasons}{more})"


def simulate_drain(
    snapshot: CloudSnapshot, hosts: Collection[str], *, out: Collection[str] = ()
) -> DrainSimulation:
    """Place every server that must leave some nodes: first fit, largest memory first.

    :param hosts: nova-compute service hosts to empty, all at once.
    :param out: further hosts that cannot take servers.
    """
    return CapacityBook(snapshot).simulate(hosts, out=out)


def needs_place(server: Server) -> bool:
    """Tell whether a server must find another node before its own is empty."""
    return server.migration != "none" and server.vm_state not in _STAYING


class CapacityBook:
    """What is free on the nodes of one snapshot: counted once, asked often, never changed.

    What is taken is what Placement says, or the sum of the servers there where that is more.
    """

    def __init__(self, snapshot: CloudSnapshot) -> None:
        self._nodes = {node.host: node for node in snapshot.nodes}
        self._servers: dict[str, list[Server]] = {host: [] for host in self._nodes}
        for server in snapshot.servers:
            if server.host in self._servers:
                self._servers[server.host].append(server)
        self._used = {node.host: _used(node, self._servers[node.host]) for node in snapshot.nodes}
        self._open: dict[str, list[Node]] = {node.domain: [] for node in snapshot.nodes}
        for node in sorted(snapshot.nodes, key=lambda n: (not n.upgraded, n.host)):
            if node.eligible_destination:
                self._open[node.domain].append(node)

    def used(self, host: str) -> Mapping[str, int]:
        """Return what is taken of each resource class on a node; nothing on an unknown one."""
        return self._used.get(host, {})

    def free(self, host: str) -> dict[str, int]:
        """Return what is left of each resource class on a node; below zero where too much is taken."""
        used = self._used[host]
        return {name: item.capacity - used.get(name, 0) for name, item in self._nodes[host].inventory.items()}

    def movable(self, hosts: Iterable[str]) -> tuple[Server, ...]:
        """Return the servers that must leave some nodes, largest memory first, then by id."""
        servers = (s for host in set(hosts) for s in self._servers.get(host, ()) if needs_place(s))
        return tuple(sorted(servers, key=lambda s: (-s.resources.get(MEMORY, 0), s.id)))

    def open_nodes(self, server: Server, closed: Collection[str]) -> list[Node]:
        """Return the nodes of a server's domain that take servers, upgraded ones first, then by name."""
        source = self._nodes.get(server.host or "")
        nodes = self._open[source.domain] if source else []
        return [n for n in nodes if n.host not in closed and n.host != server.host]

    def simulate(self, hosts: Collection[str], *, out: Collection[str] = ()) -> DrainSimulation:
        """Place the servers of some nodes as :func:`simulate_drain` does."""
        placing = Placing(self, closed={*hosts, *out})
        for server in self.movable(hosts):
            placing.add(server)
        return placing.simulation()


class Placing:
    """Servers being placed one after the other, each on top of those before it."""

    def __init__(self, book: CapacityBook, *, closed: Collection[str], fit: Fit = Fit.FIRST) -> None:
        self._book = book
        self._closed = closed
        self._fit = fit
        self._left: dict[str, dict[str, int]] = {}
        self._placements: dict[str, str] = {}
        self._unplaced: list[Verdict] = []
        self._hopeless: dict[tuple[object, ...], tuple[Code, str]] = {}

    def add(self, server: Server) -> None:
        """Place one more server, or note why it has no place.

        What is left only shrinks: where one server found no place, no other of the same shape will.
        """
        shape = (server.host, server.pinned_zone, server.required_traits, *sorted(server.resources.items()))
        if shape not in self._hopeless:
            node = self._choose(server)
            if node is not None:
                left = self._left_on(node.host)
                for name, amount in server.resources.items():
                    left[name] = left.get(name, 0) - amount
                self._placements[server.id] = node.host
                return
            self._hopeless[shape] = self._why_not(server)
        code, message = self._hopeless[shape]
        self._unplaced.append(_verdict(server, code, message))

    def fitting(self, server: Server) -> Iterator[Node]:
        """Give the nodes where a server still fits, upgraded ones first, then by name."""
        for node in self._book.open_nodes(server, self._closed):
            if _allowed(server, node) and _fits(server, node, self._left_on(node.host)):
                yield node

    def ranked(self, server: Server) -> list[Node]:
        """Return the nodes where a server still fits, upgraded ones first, then the least memory left."""
        return sorted(self.fitting(server), key=self._tightness)

    def simulation(self) -> DrainSimulation:
        """Return what came of it."""
        return DrainSimulation(placements=self._placements, unplaced=tuple(self._unplaced))

    def _choose(self, server: Server) -> Node | None:
        if self._fit is Fit.FIRST:
            return next(self.fitting(server), None)
        return min(self.fitting(server), key=self._tightness, default=None)

    def _tightness(self, node: Node) -> tuple[bool, int, str]:
        return (not node.upgraded, self._left_on(node.host).get(MEMORY, 0), node.host)

    def _left_on(self, host: str) -> dict[str, int]:
        left = self._left.get(host)
        if left is None:
            left = self._left[host] = self._book.free(host)
        return left

    def _why_not(self, server: Server) -> tuple[Code, str]:
        """Say what keeps a server from every node: the zone, the traits, or which resource by how much."""
        nodes = self._book.open_nodes(server, self._closed)
        if not nodes:
            return Code.NO_DESTINATION, "no other node of its domain takes servers now"
        in_zone = [n for n in nodes if server.pinned_zone in {None, n.zone}]
        if not in_zone:
            return (
                Code.SERVER_PINNED,
                f"it is pinned to zone {server.pinned_zone}, where no node takes servers",
            )
        able = [n for n in in_zone if server.required_traits <= n.traits]
        if not able:
            wanted = ", ".join(sorted(server.required_traits))
            return Code.NO_DESTINATION, f"no node that takes servers has the traits {wanted}"
        shortages = {n.host: _shortage(server, n, self._left_on(n.host)) for n in able}
        host = min(shortages, key=lambda h: (_worst(shortages[h], server), h))
        numbers = ", ".join(
            f"{amount} {name} ({server.resources[name]} wanted, {server.resources[name] - amount} there)"
            for name, amount in sorted(shortages[host].items())
        )
        return Code.CAPACITY, f"no node has room; the nearest, {host}, lacks {numbers}"


def _used(node: Node, servers: Iterable[Server]) -> dict[str, int]:
    taken: dict[str, int] = {}
    for server in servers:
        if server.vm_state not in _GONE:
            for name, amount in server.resources.items():
                taken[name] = taken.get(name, 0) + amount
    return {name: max(taken.get(name, 0), node.usage.get(name, 0)) for name in {*taken, *node.usage}}


def _allowed(server: Server, node: Node) -> bool:
    """Tell whether a server may be on a node at all, were there room."""
    return server.required_traits <= node.traits and server.pinned_zone in {None, node.zone}


def _fits(server: Server, node: Node, left: Mapping[str, int]) -> bool:
    return all(
        amount <= left.get(name, 0) and amount <= _max_unit(node, name)
        for name, amount in server.resources.items()
        if amount > 0
    )


def _shortage(server: Server, node: Node, left: Mapping[str, int]) -> dict[str, int]:
    """Return how much of each resource class a node lacks for a server; empty when it fits."""
    lacking = {
        name: amount - min(left.get(name, 0), _max_unit(node, name))
        for name, amount in server.resources.items()
        if amount > 0
    }
    return {name: amount for name, amount in lacking.items() if amount > 0}


def _max_unit(node: Node, name: str) -> int:
    """Return the most of a resource class that one server may have on a node."""
    item = node.inventory.get(name)
    if item is None:
        return 0
    return item.capacity if item.max_unit is None else item.max_unit


def _worst(missing: Mapping[str, int], server: Server) -> float:
    """Return the largest part of what a server wants that is missing: how far a node is from taking it."""
    return max((amount / server.resources[name] for name, amount in missing.items()), default=0.0)


def _verdict(server: Server, code: Code, message: str) -> Verdict:
    return Verdict(
        code=code,
        message=message,
        subject=Subject(type=SubjectType.SERVER, id=server.id, name=server.name),
        remedy="free or add capacity in its domain, or move it by hand",
    )
