"""Ordering: in which order nodes are upgraded, so that services switch over once.

A group of active and standby is switched once when its standby's node comes before its active's: an arc from
the first to the second. Orders that break few arcs are minimum feedback arc sets; the heuristic is that of
Eades, Lin and Smyth, then moves of single nodes (local search), then short annealing.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush

from escalator.upgrade_manager.schedule.first_nodes import Arcs, FirstNodes, choose_first_nodes
from escalator.upgrade_manager.state.availability import Availability
from escalator.upgrade_manager.state.capacity import MEMORY, CapacityBook

_PASSES = 8
_ANNEALING_PER_NODE = 40
_MOST_ANNEALING = 40_000
_WARMTH = 0.7
_TAIL = 1e-6


def order_hosts(
    book: CapacityBook, availability: Availability, hosts: Collection[str], *, seed: int = 0
) -> tuple[str, ...]:
    """Put hosts in order: of each domain the first two, then the rest as their HA groups want it.

    Where a domain has an upgraded or a spare node already, no first node has to be chosen.

    :param hosts: nova-compute service hosts to upgrade.
    :param seed: of the annealing; the same seed gives the same order.
    """
    weights = {host: compute_weight(book, host) for host in hosts}
    arcs = find_switch_arcs(book, availability, hosts)
    early = _measure_earliness(arcs)
    better_first = sorted(hosts, key=lambda h: (-early.get(h, 0.0), weights[h]))
    pairs = choose_first_nodes(book, better_first, arcs, _list_standbys(book, availability))
    firsts = untangle([pair.first for pair in pairs], _find_arcs_between_firsts(book, pairs, arcs), seed=seed)
    seconds = untangle([pair.second for pair in pairs if pair.second is not None], arcs, seed=seed)
    rest = sorted(set(hosts).difference(firsts, seconds), key=weights.__getitem__)
    return (*firsts, *seconds, *untangle(rest, arcs, seed=seed))


def compute_weight(book: CapacityBook, host: str) -> tuple[int, int, int, int, str]:
    """Return what makes a node expensive to empty: servers to move, their memory, what else is used."""
    movable = book.movable((host,))
    memory = sum(server.resources.get(MEMORY, 0) for server in movable)
    used = book.used(host)
    return (len(movable), memory, used.get(MEMORY, 0), used.get("VCPU", 0), host)


def find_switch_arcs(
    book: CapacityBook, availability: Availability, hosts: Collection[str]
) -> dict[str, dict[str, float]]:
    """Return which node should come before which: the standby's before the active's.

    Of several standbys one is enough: each gets its share.
    """
    wanted = set(hosts)
    arcs: dict[str, dict[str, float]] = {}
    for group in book.memberships.ha_groups.values():
        if group.mode != "active-standby":
            continue
        active, standbys = find_active_and_standbys(availability, group.members)
        if active not in wanted:
            continue
        for standby in standbys:
            if standby in wanted and standby != active:
                later = arcs.setdefault(standby, {})
                later[active] = later.get(active, 0.0) + 1 / len(standbys)
    return arcs


def find_active_and_standbys(
    availability: Availability, members: Iterable[str]
) -> tuple[str | None, list[str]]:
    """Return the host of a group's active member and those of the others."""
    active, standbys = None, []
    for member in members:
        host = availability.host_of(member)
        if host is None:
            continue
        if availability.is_active(member):
            active = host
        else:
            standbys.append(host)
    return active, standbys


def untangle(hosts: Sequence[str], arcs: Arcs, *, seed: int = 0) -> tuple[str, ...]:
    """Order hosts so that little weight of arcs points backwards; without arcs the order stays.

    :param hosts: the order that is kept where arcs do not matter.
    """
    inside = set(hosts)
    forward = {h: {t: w for t, w in arcs.get(h, {}).items() if t in inside} for h in hosts}
    backward: dict[str, dict[str, float]] = {h: {} for h in hosts}
    for tail, heads in forward.items():
        for head, value in heads.items():
            backward[head][tail] = value
    linked = [h for h in hosts if forward[h] or backward[h]]
    if not linked:
        return tuple(hosts)
    search = _Search(_order_greedily(linked, forward, backward), forward, backward)
    search.improve()
    search.anneal(random.Random(seed))  # noqa: S311  reproducible, not secret
    search.improve()
    loose = [h for h in hosts if not (forward[h] or backward[h])]
    return (*loose, *search.list_hosts())


def _measure_earliness(arcs: Arcs) -> dict[str, float]:
    """Return how much better it is that a node comes before its partners than after them."""
    found: dict[str, float] = {}
    for tail, heads in arcs.items():
        for head, value in heads.items():
            found[tail] = found.get(tail, 0.0) + value
            found[head] = found.get(head, 0.0) - value
    return found


def _list_standbys(book: CapacityBook, availability: Availability) -> dict[str, dict[str, list[int]]]:
    """Return where the standbys are of what is active on each host, with the memory of each (MiB)."""
    memory = {s.id: book.shape(s).memory for s in book.memberships.ha_servers}
    found: dict[str, dict[str, list[int]]] = {}
    for group in book.memberships.ha_groups.values():
        if group.mode != "active-standby":
            continue
        active, _ = find_active_and_standbys(availability, group.members)
        if active is None:
            continue
        for member in group.members:
            host = availability.host_of(member)
            if host is not None and not availability.is_active(member):
                found.setdefault(active, {}).setdefault(host, []).append(memory.get(member, 0))
                break
    return found


def _find_arcs_between_firsts(
    book: CapacityBook, pairs: Iterable[FirstNodes], arcs: Arcs
) -> dict[str, dict[str, float]]:
    """Return which first node should come before which.

    A standby can move within its domain once the first node there is upgraded: that one should come before
    the node of the active.
    """
    first_of = {book.nodes[pair.first].domain: pair.first for pair in pairs}
    found: dict[str, dict[str, float]] = {}
    for tail, heads in arcs.items():
        first = first_of.get(book.nodes[tail].domain)
        for head, value in heads.items():
            if first is not None and first != head and head == first_of.get(book.nodes[head].domain):
                later = found.setdefault(first, {})
                later[head] = later.get(head, 0.0) + value
    return found


def _order_greedily(hosts: Sequence[str], forward: Arcs, backward: Arcs) -> list[str]:
    """Put sinks last and sources first; without either put the node first that loses least by it."""
    peeling = _Peeling(hosts, forward, backward)
    front: list[str] = []
    back: list[str] = []
    while peeling.left:
        if peeling.sinks:
            host, end = peeling.sinks.pop(), back
        elif peeling.sources:
            host, end = peeling.sources.pop(), front
        else:
            host, end = peeling.pop_best(), front
        if host in peeling.left:
            end.append(host)
            peeling.remove(host)
    return front + back[::-1]


class _Peeling:
    """A graph that is taken apart, node by node: what is left, what has no arcs out, or none in."""

    def __init__(self, hosts: Sequence[str], forward: Arcs, backward: Arcs) -> None:
        self._forward, self._backward = forward, backward
        self._out = {h: sum(forward[h].values()) for h in hosts}
        self._into = {h: sum(backward[h].values()) for h in hosts}
        self.left = dict.fromkeys(hosts)
        self.sinks = [h for h in hosts if self._out[h] <= _TAIL]
        self.sources = [h for h in hosts if self._into[h] <= _TAIL]
        self._heap = [(self._key(host), host) for host in hosts]
        heapify(self._heap)

    def remove(self, host: str) -> None:
        """Take one node out with its arcs."""
        del self.left[host]
        self._drop(self._forward[host], self._into, self.sources)
        self._drop(self._backward[host], self._out, self.sinks)

    def pop_best(self) -> str:
        """Return the node with the most weight going out over coming in."""
        while True:
            key, host = heappop(self._heap)
            if host in self.left and abs(key - self._key(host)) <= _TAIL:
                return host

    def _key(self, host: str) -> float:
        return self._into[host] - self._out[host]

    def _drop(self, others: Mapping[str, float], sums: dict[str, float], ends: list[str]) -> None:
        for other, value in others.items():
            if other in self.left:
                sums[other] -= value
                heappush(self._heap, (self._key(other), other))
                if sums[other] <= _TAIL:
                    ends.append(other)


class _Search:
    """Local search over one order: take one node out, put it back where it breaks the least."""

    def __init__(self, order: Sequence[str], forward: Arcs, backward: Arcs) -> None:
        self._forward = forward
        self._backward = backward
        self._position = {host: float(number) for number, host in enumerate(order)}

    def list_hosts(self) -> list[str]:
        """Return the hosts in order."""
        return sorted(self._position, key=lambda host: (self._position[host], host))

    def improve(self) -> None:
        """Move single nodes to their best positions until nothing gets better, or a few passes were made."""
        for _ in range(_PASSES):
            gain = sum(self._move_best(host) for host in self.list_hosts())
            self._renumber()
            if gain <= _TAIL:
                return

    def anneal(self, rng: random.Random) -> None:
        """Move nodes at random, taking worse positions ever more rarely."""
        hosts = self.list_hosts()
        steps = min(_MOST_ANNEALING, _ANNEALING_PER_NODE * len(hosts))
        before, cost = dict(self._position), 0.0
        for step in range(steps):
            warmth = _WARMTH * (1 - step / steps) + _TAIL
            host = hosts[rng.randrange(len(hosts))]
            marks, costs = self._costs(host)
            now = costs[bisect_left(marks, self._position[host])]
            gap = rng.randrange(len(costs))
            if costs[gap] <= now or rng.random() < math.exp((now - costs[gap]) / warmth):
                self._position[host] = _between(marks, gap)
                cost += costs[gap] - now
        if cost > 0:
            self._position = before
        self._renumber()

    def _move_best(self, host: str) -> float:
        marks, costs = self._costs(host)
        now = costs[bisect_left(marks, self._position[host])]
        gap = min(range(len(costs)), key=lambda g: costs[g])
        if costs[gap] >= now - _TAIL:
            return 0.0
        self._position[host] = _between(marks, gap)
        return now - costs[gap]

    def _costs(self, host: str) -> tuple[list[float], list[float]]:
        """Return the positions of the nodes that a node has arcs with, and the cost of each gap."""
        net = dict(self._forward[host])
        for tail, value in self._backward[host].items():
            net[tail] = net.get(tail, 0.0) - value
        marks = sorted((self._position[other], value) for other, value in net.items())
        cost = sum(self._backward[host].values())  # before all: every arc into it is broken
        costs = [cost]
        for _, value in marks:
            cost += value
            costs.append(cost)
        return [mark for mark, _ in marks], costs

    def _renumber(self) -> None:
        self._position = {host: float(number) for number, host in enumerate(self.list_hosts())}


def _between(marks: Sequence[float], gap: int) -> float:
    if gap == 0:
        return marks[0] - 0.5
    if gap == len(marks):
        return marks[-1] + 0.5
    return (marks[gap - 1] + marks[gap]) / 2
