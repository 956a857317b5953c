"""Exhaustive search: for a few nodes, every order of drains and every place of every server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from escalator.model.cloud import Server
from escalator.upgrade_manager.drain.placing import Placing
from escalator.upgrade_manager.state.capacity import CapacityBook

MOST_NODES = 6
"""Nodes of a domain that is searched at all, at most."""
_MOST_SERVERS = 16
"""Servers that must be moved in a domain that is searched at all, at most."""
_MOST_STEPS = 4000
"""Servers that are placed in a search before it gives up."""


@dataclass(slots=True, kw_only=True)
class Search:
    """A search for an order, in a book of its own; it puts the book back as it was, unless it finds one."""

    book: CapacityBook
    steps: int = 0
    _seen: set[object] = field(default_factory=set)

    def find_order(self, hosts: Sequence[str]) -> tuple[str, ...] | None:
        """Return an order in which nodes of one domain can be emptied; None when none was found."""
        domain = self.book.nodes[hosts[0]].domain
        nodes = [node.host for node in self.book.nodes.values() if node.domain == domain]
        movable = self.book.movable(hosts)
        if len(nodes) > MOST_NODES or len(movable) > _MOST_SERVERS or not self._room(nodes, hosts):
            return None
        return self._after((), tuple(hosts))

    def _room(self, nodes: Sequence[str], hosts: Sequence[str]) -> bool:
        """Tell whether the sums allow it: what is free in the domain stays the same, whoever moves where.

        A node can only be emptied when all the others together have room for what it has.
        """
        open_nodes = [host for host in nodes if self.book.nodes[host].eligible_destination]
        for host in hosts:
            wanted: dict[str, int] = {}
            for server in self.book.movable((host,)):
                for name, amount in self.book.shape(server).need:
                    wanted[name] = wanted.get(name, 0) + amount
            for name, amount in wanted.items():
                if amount > sum(self.book.free(other).get(name, 0) for other in open_nodes if other != host):
                    return False
        return all(host in open_nodes for host in hosts)

    def _after(self, gone: tuple[str, ...], left: tuple[str, ...]) -> tuple[str, ...] | None:
        if not left:
            return gone
        state = (frozenset(left), self._state())
        if state in self._seen:
            return None
        self._seen.add(state)
        for host in left:
            rest = tuple(other for other in left if other != host)
            for _ in self._placements(self.book.movable((host,))):
                found = self._after((*gone, host), rest)
                if found is not None:
                    return found
        return None

    def _placements(self, servers: Sequence[Server]) -> Iterator[None]:
        """Move servers in every way, one way after the other; back again before the next."""
        if not servers:
            yield
            return
        server = servers[0]
        source = server.host or ""
        for node in Placing(self.book, closed=(source,)).rank_nodes(server):
            if self.steps >= _MOST_STEPS:
                return
            self.steps += 1
            there = replace(server, host=node.host)
            self._move(server, source, there, node.host)
            yield from self._placements(servers[1:])
            self._move(there, node.host, server, source)

    def _move(self, before: Server, source: str, after: Server, destination: str) -> None:
        self.book.take(destination, before)
        self.book.take(source, before, give_back=True)
        self.book.relocate(before, after)

    def _state(self) -> frozenset[tuple[str, str]]:
        return frozenset((s.id, host) for host in self.book.nodes for s in self.book.servers(host))
