"""First nodes: which nodes go first where no node of the domain is upgraded or spare.

The first node is emptied onto nodes that are still to be upgraded: its servers move twice, and what is active
on it with its standby in the same domain switches twice, as there is no upgraded node yet to which the
standby could move. The second node goes onto the first; the room that is left there is all that its standbys
get. Both are chosen together, of all domains at once: a few servers may be moved more than need be where that
spares switchovers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from escalator.model.cloud import Server
from escalator.upgrade_manager.state.capacity import MEMORY, CapacityBook, Tier

Arcs = Mapping[str, Mapping[str, float]]
"""host -> host that should come later -> how many groups want it."""
_SHARE = 0.0045
"""Share of the least number of moves that may be moved twice to spare switchovers."""
_MOVES_A_SWITCHOVER = 3.0
"""So many servers are moved twice at most to spare one switchover."""
_ELSEWHERE = 0.3
"""Of the services on a first node with their standby in another domain, about this share switches twice."""
_FIRSTS = 16
_SECONDS = 32
"""Nodes of a domain that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstNodes:
    """The first node of a domain and, where there are others, the second.

    :ivar moves: servers that move twice beyond those of the node that is cheapest to empty.
    :ivar switchovers: services that switch twice, about.
    """

    first: str
    second: str | None
    moves: int
    switchovers: float


def choose_first_nodes(
    book: CapacityBook, hosts: Sequence[str], arcs: Arcs, standbys: Mapping[str, Mapping[str, Sequence[int]]]
) -> tuple[FirstNodes, ...]:
    """Choose the first two nodes of each domain that has no upgraded or spare one.

    :param hosts: the nodes to upgrade, those first that are better to have first where nothing else matters.
    :param arcs: which node should come before which.
    :param standbys: host -> host of the standbys of what is active there -> memory of each (MiB).
    """
    needy: dict[str, list[str]] = {}
    for host in hosts:
        domain = book.nodes[host].domain
        tiers = book.open_tiers(domain)
        if not tiers[Tier.UPGRADED] and not tiers[Tier.SPARE]:
            needy.setdefault(domain, []).append(host)
    servers = {host: book.movable((host,)) for host in hosts}
    least = sum(map(len, servers.values())) + sum(
        min(len(servers[h]) for h in there) for there in needy.values()
    )
    twice = _estimate_switched_twice(book, arcs)
    options = [
        _list_options(book, {h: servers[h] for h in there}, twice, standbys) for there in needy.values()
    ]
    return choose_cheapest(options, int(_SHARE * least))


def _estimate_switched_twice(book: CapacityBook, arcs: Arcs) -> dict[str, float]:
    """Return about how many services switch twice if a node is the first one of its domain."""
    found: dict[str, float] = {}
    if not book.members_stay:
        return found
    for tail, heads in arcs.items():
        for head, value in heads.items():
            certain = book.nodes[tail].domain == book.nodes[head].domain
            found[head] = found.get(head, 0.0) + (value if certain else value * _ELSEWHERE)
    return found


def _list_options(
    book: CapacityBook,
    servers: Mapping[str, Sequence[Server]],
    twice: Mapping[str, float],
    standbys: Mapping[str, Mapping[str, Sequence[int]]],
) -> list[FirstNodes]:
    """Return the choices of a domain, cheapest first; none is better than another in both respects.

    :param servers: host of the domain -> the servers that have to leave it, largest first.
    """
    demand = {host: sum(book.shape(s).memory for s in leaving) for host, leaving in servers.items()}
    least = min(map(len, servers.values()))
    firsts = sorted(servers, key=lambda h: len(servers[h]) + _MOVES_A_SWITCHOVER * twice.get(h, 0.0))
    seconds = sorted(servers, key=demand.__getitem__)[:_SECONDS]
    found = []
    usual = sum(book.free(h).get(MEMORY, 0) for h in servers) / len(servers)
    for first in firsts[:_FIRSTS]:
        moves, cost = len(servers[first]) - least, twice.get(first, 0.0)
        room = book.free(first).get(MEMORY, 0) + demand[first]
        rest = [host for host in seconds if host != first]
        if not rest:
            found.append(FirstNodes(first=first, second=None, moves=moves, switchovers=cost))
        for second in rest:
            spare, moved_twice = room - demand[second], 0
            while spare < 0 and moved_twice < len(servers[second]):
                spare += book.shape(servers[second][moved_twice]).memory
                moved_twice += 1
            there = standbys.get(second, {}) if book.members_stay else {}
            sizes = [m for h, them in there.items() if h != first and h in servers for m in them]
            unmended = _count_homeless(sizes, spare) + _price_crowding(spare - sum(sizes), usual)
            found.append(
                FirstNodes(first=first, second=second, moves=moves + moved_twice, switchovers=cost + unmended)
            )
    best: list[FirstNodes] = []
    for pair in sorted(found, key=lambda s: (s.moves, s.switchovers)):
        if not best or pair.switchovers < best[-1].switchovers:
            best.append(pair)
    return best


def _count_homeless(sizes: Sequence[int], room: int) -> int:
    """Return how many of some servers have no place, the smallest placed first."""
    for number, size in enumerate(sorted(sizes)):
        room -= size
        if room < 0:
            return len(sizes) - number
    return 0


def _price_crowding(spare: int, usual: float) -> float:
    """Return the price of leaving less room for standbys than nodes usually have free, in switchovers."""
    return 1.0 - min(1.0, max(0, spare) / usual) if usual > 0 else 0.0


def choose_cheapest(options: Sequence[Sequence[FirstNodes]], budget: int) -> tuple[FirstNodes, ...]:
    """Choose one option of each domain: the least switchovers and moves together, within a budget of moves.

    Where the cheapest options alone are beyond the budget, they are taken.
    """
    budget = max(budget, sum(pairs[0].moves for pairs in options))
    layers: list[dict[int, tuple[float, FirstNodes, int]]] = []
    spent: dict[int, float] = {0: 0.0}
    left = sum(pairs[0].moves for pairs in options)
    for pairs in options:
        left -= pairs[0].moves
        layer: dict[int, tuple[float, FirstNodes, int]] = {}
        for before, cost in spent.items():
            for pair in pairs:
                now = before + pair.moves
                if now + left > budget:
                    break
                value = cost + pair.switchovers + pair.moves / _MOVES_A_SWITCHOVER
                if now not in layer or value < layer[now][0]:
                    layer[now] = (value, pair, before)
        layers.append(layer)
        spent = {now: value for now, (value, _, _) in layer.items()}
    chosen: list[FirstNodes] = []
    now = min(spent, key=lambda s: (spent[s], s))
    for layer in reversed(layers):
        _, pair, now = layer[now]
        chosen.append(pair)
    return tuple(reversed(chosen))
