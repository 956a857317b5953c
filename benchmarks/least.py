"""The least switchovers that any order of a fleet of small domains comes to, for a given number of moves.

It shares no code with the planner. The first node of a domain is emptied before any node of the domain is
upgraded: a service that is active on it, with its standby on another node of the domain, switches when it
goes and again when the standby's node goes. Where the standby is in another domain, it can move to an
upgraded node there, if one of that domain has gone before. Every other service may switch once only. A first
node with more servers than another costs moves beyond the bound, which the goal for moves limits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from escalator.model.cloud import CloudSnapshot

_HAIR = 1e-6
MOST_NODES = 10
"""Nodes of a domain up to which the search is short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _First:
    """A node as the first of its domain.

    :ivar moves: beyond those of the node that is cheapest to empty.
    :ivar twice: services that are active there with their standby in the same domain.
    :ivar elsewhere: number of another domain -> services that have their standby there.
    """

    moves: int
    twice: int
    elsewhere: Mapping[int, int]


def least_switchovers(snapshot: CloudSnapshot, most_moves: float) -> float:
    """Return the least switchovers a group: K is 1, groups are 1+1, members stay, no node is empty.

    :param most_moves: how many moves, over their bound, an order may take.
    :return: 1.0 for fleets with larger domains: nothing is claimed of them.
    """
    in_group = {member for group in snapshot.ha_groups for member in group.members}
    counts = Counter(server.host for server in snapshot.servers if server.id not in in_group)
    domains: dict[str, list[str]] = {}
    for node in snapshot.nodes:
        domains.setdefault(node.domain, []).append(node.host)
    if not in_group or max(map(len, domains.values())) > MOST_NODES:
        return 1.0
    least = {name: min(counts[host] for host in hosts) for name, hosts in domains.items()}
    bound = sum(counts.values()) + sum(least.values())
    standbys = _standbys_of(snapshot, {host: n for n, hosts in enumerate(domains.values()) for host in hosts})
    options = [
        [
            _First(
                moves=counts[host] - least[name],
                twice=standbys[host][number],
                elsewhere={other: count for other, count in standbys[host].items() if other != number},
            )
            for host in hosts
        ]
        for number, (name, hosts) in enumerate(domains.items())
    ]
    further = _least(options, (), int((most_moves - 1) * bound + _HAIR), len(snapshot.ha_groups))
    return 1 + further / len(snapshot.ha_groups)


def _standbys_of(snapshot: CloudSnapshot, number_of: Mapping[str, int]) -> dict[str, Counter[int]]:
    """Return host -> domain -> how many services that are active on the host have their standby there."""
    host_of = {server.id: server.host or "" for server in snapshot.servers}
    found: dict[str, Counter[int]] = {host: Counter() for host in number_of}
    for group in snapshot.ha_groups:
        active, standby = group.members
        found[host_of[active]][number_of[host_of[standby]]] += 1
    return found


def _least(options: Sequence[Sequence[_First]], chosen: tuple[_First, ...], budget: int, best: int) -> int:
    """Return the least services that switch twice; ``best`` where no choice comes to less."""
    twice = sum(first.twice for first in chosen)
    if twice >= best:
        return best
    if len(chosen) == len(options):
        return min(best, twice + _least_in_order(chosen))
    for first in sorted(options[len(chosen)], key=lambda option: option.twice):
        if first.moves <= budget:
            best = _least(options, (*chosen, first), budget - first.moves, best)
    return best


def _least_in_order(chosen: Sequence[_First]) -> int:
    """Return how many services have their standby in a later domain, in the best order of the domains."""
    everyone = range(len(chosen))
    least = {0: 0}
    for gone in range(1, 1 << len(chosen)):
        least[gone] = min(
            least[gone & ~(1 << last)]
            + sum(count for other, count in chosen[last].elsewhere.items() if not gone >> other & 1)
            for last in everyone
            if gone >> last & 1
        )
    return least[(1 << len(chosen)) - 1]
