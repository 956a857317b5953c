"""Placing: where the servers of draining nodes would go. Each is placed on paper, on top of those before it.

A node is emptied only when a place was found for every server on it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from escalator.model.cloud import Node, Server
from escalator.model.verdict import Code, Verdict
from escalator.upgrade_manager.state.capacity import MEMORY, CapacityBook, Shape, Tier
from escalator.upgrade_manager.state.memberships import AFFINITY, ANTI_AFFINITY, SOFT_ANTI_AFFINITY

_SHOWN = 3
"""Servers that a message names one by one."""


class Fit(StrEnum):
    """Which of the nodes with room a server gets; upgraded nodes come first in all."""

    LAST = "last"
    """As the best; but of nodes still to be upgraded the last to go, so that the next ones stay free."""

    FIRST = "first"
    """The first by name."""
    BEST = "best"
    """The one with the least memory left, so that large gaps stay for large servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainSimulation:
    """Where each server goes (server id -> host), and a verdict for each that found no place.

    ``moved_twice`` of them go to nodes that are still to be upgraded, and will move again.
    """

    placements: Mapping[str, str]
    unplaced: tuple[Verdict, ...] = ()
    moved_twice: int = 0

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


def simulate(book: CapacityBook, hosts: Collection[str], *, out: Collection[str] = ()) -> DrainSimulation:
    """Place the servers of some nodes by one fit; try others while a server has no place."""
    return place(book, book.movable(hosts), closed={*hosts, *out}).simulation()


def place(book: CapacityBook, servers: Iterable[Server], *, closed: Collection[str]) -> Placing:
    """Place servers in their order by one fit after the other, until one finds a place for all."""
    wanted = tuple(servers)
    tried: list[Placing] = []
    for fit in (Fit.LAST, Fit.BEST, Fit.FIRST) if book.rank_of else (Fit.BEST, Fit.FIRST):
        placing = Placing(book, closed=closed, fit=fit)
        for server in wanted:
            placing.add(server)
        if not placing.unplaced:
            return placing
        tried.append(placing)
    return min(tried, key=lambda placing: len(placing.unplaced))


class Placing:
    """Servers being placed one after the other, each on top of those before it.

    :param closed: hosts that take no server.
    :param worst: the worst tier that servers may go to.
    """

    def __init__(
        self,
        book: CapacityBook,
        *,
        closed: Collection[str] = (),
        fit: Fit = Fit.BEST,
        worst: Tier = Tier.PENDING,
    ) -> None:
        self._book = book
        self._closed = closed
        self._fit = fit
        self._worst = worst
        self._left: dict[str, dict[str, int]] = {}
        self._tiers: dict[str, list[list[tuple[int, str]]]] = {}
        self._searched: dict[tuple[str, int], int] = {}
        self._arrived: dict[str, list[str]] = {}
        self._hopeless: dict[object, tuple[Code, str]] = {}
        self.placements: dict[str, str] = {}
        self.unplaced: list[Verdict] = []
        self.moved_twice = 0

    def add(self, server: Server) -> bool:
        """Place one more server, or note why it has no place.

        What is left only shrinks: where one server found no place, no other that asks for the same will.
        """
        if self.try_add(server):
            return True
        shape = self._book.shape(server)
        group = self._book.memberships.server_group_of.get(server.id)
        key = (server.host, shape, group)
        if key not in self._hopeless:
            self._hopeless[key] = self._why_not(server, shape)
        code, message = self._hopeless[key]
        self.unplaced.append(
            Verdict(
                code=code,
                message=message,
                subject=server.subject,
                remedy="free or add capacity in its domain, or move it by hand",
            )
        )
        return False

    def try_add(self, server: Server, *, beside: Collection[str] = ()) -> bool:
        """Place one more server if there is room; nothing is noted when there is none.

        One that is on its way already goes where it is going, where Placement counts it, while that is open.

        :param beside: hosts that it must not go to.
        """
        heading = self._book.heading.get(server.id)
        if heading in self._closed:
            heading = None
        host = heading or self._choose(server, beside)
        if host is None:
            return False
        if heading is None:
            self._occupy(host, server)
        self.placements[server.id] = host
        self.moved_twice += self._book.tiers[host] is Tier.PENDING
        return True

    def rank_nodes(self, server: Server) -> list[Node]:
        """Return the nodes where a server still fits, the best tier first, then the least memory left."""
        return [self._book.nodes[host] for host in self._candidates(server, self._book.shape(server))]

    def simulation(self) -> DrainSimulation:
        """Return what came of it."""
        return DrainSimulation(
            placements=self.placements, unplaced=tuple(self.unplaced), moved_twice=self.moved_twice
        )

    def _choose(self, server: Server, beside: Collection[str]) -> str | None:
        shape = self._book.shape(server)
        policy = self._book.memberships.policy(server.id)
        found = (host for host in self._candidates(server, shape) if host not in beside)
        if policy == SOFT_ANTI_AFFINITY:
            hosts = list(found)
            mates = set(self._mates(server))
            return next((host for host in hosts if host not in mates), hosts[0] if hosts else None)
        return next(found, None)

    def _candidates(self, server: Server, shape: Shape) -> Iterator[str]:
        """Give the hosts where a server fits, in the order of preference."""
        source = self._book.nodes.get(server.host or "")
        if source is None:
            return
        allowed = self._group_rule(server)
        older = self._book.older(source.host) if shape.live else frozenset()
        for number, tier in enumerate(self._tiers_of(source.domain)):
            if number > self._worst:
                return
            start = bisect_left(tier, (shape.memory, ""))
            if start == len(tier):
                continue
            # One by one: mostly the first is enough.
            hosts: Iterator[str] = (tier[index][1] for index in range(start, len(tier)))
            if number == Tier.PENDING and self._fit is Fit.LAST:
                hosts = self._last_first(hosts, source, shape.memory)
            for host in self._preferred(hosts, shape, source.domain):
                if (
                    host != server.host
                    and host not in self._closed
                    and host not in older
                    and allowed(host)
                    and self._suits(host, shape)
                ):
                    yield host

    def _last_first(self, hosts: Iterator[str], source: Node, memory: int) -> Iterator[str]:
        """Put one node before the others: of those with enough memory, the one that goes last.

        What is left only shrinks: the search goes on where it ended for the last server of that size.
        """
        order = self._book.last_first(source.domain)
        start = self._searched.get((source.host, memory), 0)
        for number in range(start, len(order)):
            last = order[number]
            if (
                last != source.host
                and last not in self._closed
                and self._book.is_pending(last)
                and self._left_on(last).get(MEMORY, 0) >= memory
            ):
                self._searched[source.host, memory] = number
                return chain((last,), (host for host in hosts if host != last))
        return hosts

    def _preferred(self, hosts: Iterator[str], shape: Shape, domain: str) -> Iterable[str]:
        """Put nodes with traits that other servers need behind the rest; sort by name for a first fit."""
        found: Iterable[str] = sorted(hosts) if self._fit is Fit.FIRST else hosts
        scarce = self._book.scarce(domain) - shape.traits
        if scarce:
            return sorted(found, key=lambda host: not scarce.isdisjoint(self._book.nodes[host].traits))
        return found

    def _group_rule(self, server: Server) -> _Rule:
        """Return which hosts the hard policy of a server's group allows."""
        policy = self._book.memberships.policy(server.id)
        if policy == ANTI_AFFINITY:
            most = self._book.memberships.count_allowed(server.id)
            there = Counter(self._mates(server))
            full = frozenset(host for host, members in there.items() if members >= most)
            return _Rule(taken=full, together=False)
        if policy == AFFINITY:
            mates = self._mates(server)
            return _Rule(taken=frozenset(mates), together=bool(mates))
        return _ANYWHERE

    def _mates(self, server: Server) -> list[str]:
        """Return where the other members of a server's group are, one entry a member, with those placed."""
        group = self._book.memberships.server_group_of.get(server.id)
        if group is None:
            return []
        hosts = list(self._book.group_hosts(group))
        for own in (server.host, self._book.heading.get(server.id)):
            if own in hosts:
                hosts.remove(own)
        return hosts + self._arrived.get(group, [])

    def _suits(self, host: str, shape: Shape) -> bool:
        node = self._book.nodes[host]
        if not shape.allows(node.traits) or shape.zone not in {None, node.zone}:
            return False
        left = self._left_on(host)
        for name, amount in shape.need:
            if amount > left.get(name, 0):
                return False
            item = node.inventory[name]
            if item.max_unit is not None and amount > item.max_unit:
                return False
        return True

    def _left_on(self, host: str) -> Mapping[str, int]:
        """Return what those placed so far leave of each resource class on a node."""
        return self._left.get(host) or self._book.free(host)

    def _tiers_of(self, domain: str) -> list[list[tuple[int, str]]]:
        tiers = self._tiers.get(domain)
        if tiers is None:
            tiers = self._tiers[domain] = [list(tier) for tier in self._book.open_tiers(domain)]
        return tiers

    def _occupy(self, host: str, server: Server) -> None:
        left = self._left.get(host)
        if left is None:
            left = self._left[host] = dict(self._book.free(host))
        tier = self._tiers_of(self._book.nodes[host].domain)[self._book.tiers[host]]
        entry = (left.get(MEMORY, 0), host)
        del tier[bisect_left(tier, entry)]
        for name, amount in self._book.shape(server).need:
            left[name] -= amount
        insort(tier, (left.get(MEMORY, 0), host))
        group = self._book.memberships.server_group_of.get(server.id)
        if group is not None:
            self._arrived.setdefault(group, []).append(host)

    def _why_not(self, server: Server, shape: Shape) -> tuple[Code, str]:
        """Say what keeps a server from every node: the zone, the traits, its group, or which resource."""
        nodes = self._book.open_nodes(server, self._closed)
        if not nodes:
            return Code.NO_DESTINATION, "no other node of its domain takes servers now"
        in_zone = [n for n in nodes if shape.zone in {None, n.zone}]
        if not in_zone:
            return Code.SERVER_PINNED, f"it is pinned to zone {shape.zone}, where no node takes servers"
        able = [n for n in in_zone if shape.allows(n.traits)]
        if not able:
            return Code.NO_DESTINATION, f"no node that takes servers {_name_traits(shape)}"
        older = self._book.older(server.host or "") if shape.live else frozenset()
        able = [n for n in able if n.host not in older]
        if not able:
            return Code.HYPERVISOR_OLDER, "every node that could take it has an older hypervisor"
        allowed = self._group_rule(server)
        apart = [n for n in able if allowed(n.host)]
        if not apart:
            return Code.SERVER_GROUP, self._grouped(server)
        shortages = {n.host: self._shortage(n, shape) for n in apart}
        host = min(shortages, key=lambda h: (_worst(shortages[h], server), h))
        numbers = ", ".join(
            f"{amount} {name} ({server.resources[name]} wanted, {server.resources[name] - amount} there)"
            for name, amount in sorted(shortages[host].items())
        )
        return Code.CAPACITY, f"no node has room; the nearest, {host}, lacks {numbers}"

    def _grouped(self, server: Server) -> str:
        memberships = self._book.memberships
        group = memberships.server_group_of.get(server.id)
        if memberships.policy(server.id) == AFFINITY:
            return f"server group {group} keeps its members on one node, and Nova moves them one by one"
        most = memberships.count_allowed(server.id)
        there = "one of them" if most == 1 else f"{most} of them, as many as it allows"
        return f"server group {group} keeps its members apart, and each other node has {there}"

    def _shortage(self, node: Node, shape: Shape) -> dict[str, int]:
        """Return how much of each resource class a node lacks for a server; empty when it fits."""
        left = self._left_on(node.host)
        lacking = {
            name: amount - min(left.get(name, 0), self._book.max_unit(node.host, name))
            for name, amount in shape.need
        }
        return {name: amount for name, amount in lacking.items() if amount > 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """Which hosts a group's hard policy allows: none of those taken, or only them."""

    taken: frozenset[str]
    together: bool

    def __call__(self, host: str) -> bool:
        return (host in self.taken) is self.together


_ANYWHERE = _Rule(taken=frozenset(), together=False)


def _name_traits(shape: Shape) -> str:
    """Say which traits a node has to have, and which it must be without."""
    wanted, forbidden = ", ".join(sorted(shape.traits)), ", ".join(sorted(shape.forbidden))
    parts = [f"has the traits {wanted}" if wanted else "", f"is without {forbidden}" if forbidden else ""]
    return " and ".join(filter(None, parts))


def _worst(missing: Mapping[str, int], server: Server) -> float:
    """Return how far a node is from taking a server: the largest missing share of what the server wants."""
    return max((amount / server.resources[name] for name, amount in missing.items()), default=0.0)
