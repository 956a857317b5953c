"""What no order of the nodes could have gone below: moves and makespan (docs/replay.md)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from escalator.model.cloud import Server
from escalator.replay.events import Event
from escalator.replay.replayed_cloud import PlayedNode, ReplayedCloud
from escalator.replay.report import ReplayOptions

_MEMORY = "MEMORY_MB"
_STANDBY = "standby"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How things stood before the first event: who has to leave each node, and what is taken there."""

    leavers: Mapping[str, tuple[Server, ...]]
    used: Mapping[str, Mapping[str, int]]

    @classmethod
    def of(cls, world: ReplayedCloud) -> Start:
        """Note a world before its first event."""
        return cls(
            leavers={host: tuple(world.leavers(host)) for host in world.nodes},
            used={host: dict(played.used) for host, played in world.nodes.items()},
        )


def compute_moves_lower_bound(world: ReplayedCloud, start: Start, upgraded: Collection[str]) -> int:
    """Return the fewest moves: every server that must leave once, and the first node of a domain twice.

    Nothing moves twice in a domain with a node where servers can stay from the start: one that is upgraded
    already, is not upgraded in this trace, or is empty.
    """
    leavers = {host: len(start.leavers[host]) for host in upgraded}
    return sum(leavers.values()) + int(_of_first_nodes(world, leavers))


def compute_makespan_lower_bound(
    world: ReplayedCloud, start: Start, upgraded: Collection[str], events: Iterable[Event], max_parallel: int
) -> float:
    """Return the shortest time in seconds: the work by K, the longest node, or what swing capacity allows.

    The work is every node's, and the second moves of the first nodes. The last is ``t_up / (1 - u)`` where
    all nodes are alike: the upgrades, weighed by the capacity that they take out, by what is free when all
    that has to move is somewhere.
    """
    if not upgraded:
        return 0.0
    options = world.options
    times = _Times() if options.bounds_given else _Times.measured(events)
    work = [
        times.moving(options, start.leavers[host], host) + times.upgrade(options, host) for host in upgraded
    ]
    longest = [
        max(times.longest(options, start.leavers[host], host) + times.upgrade(options, host), seconds)
        for host, seconds in zip(upgraded, work, strict=True)
    ]
    again = {host: times.moving_again(options, start.leavers[host]) for host in upgraded}
    swing = _swing_seconds(world, start, upgraded, times)
    lanes = sum(work) + _of_first_nodes(world, again)
    return max(lanes / max_parallel, sum(longest) / max_parallel, swing, *longest)


def _of_first_nodes(world: ReplayedCloud, loads: Mapping[str, float]) -> float:
    """Return what the first node of each domain weighs at least, where none could take servers for good."""
    landing = {
        played.node.domain
        for host, played in world.nodes.items()
        if played.node.eligible_destination and host not in loads
    }
    least: dict[str, float] = {}
    for host, load in loads.items():
        domain = world.nodes[host].node.domain
        if domain not in landing:
            least[domain] = min(load, least.get(domain, load))
    return sum(least.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Times:
    """What was measured; what the options give goes before it.

    :ivar moves: first moves by server and source; ``quickest`` those by server.
    :ivar at_once: most moves at once by source.
    """

    upgrades: Mapping[str, float] = field(default_factory=dict)
    moves: Mapping[tuple[str, str], float] = field(default_factory=dict)
    quickest: Mapping[str, float] = field(default_factory=dict)
    at_once: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def measured(cls, events: Iterable[Event]) -> _Times:
        begun: dict[tuple[str, str], float] = {}
        upgrades: dict[str, float] = {}
        moves: dict[tuple[str, str], float] = {}
        quickest: dict[str, float] = {}
        now: Counter[str] = Counter()
        most: Counter[str] = Counter()
        for event in events:
            key = (event.subject, event.source)
            match event.name:
                case "move_start" if event.kind != _STANDBY:
                    begun[key] = event.t
                    now[event.source] += 1
                    most[event.source] = max(most[event.source], now[event.source])
                case "move_end" if key in begun:
                    seconds = event.t - begun.pop(key)
                    moves.setdefault(key, seconds)
                    quickest[event.subject] = min(seconds, quickest.get(event.subject, seconds))
                    now[event.source] -= 1
                case "upgrade_start":
                    begun[key] = event.t
                case "upgrade_end" if key in begun:
                    upgrades[event.subject] = event.t - begun.pop(key)
        return cls(upgrades=upgrades, moves=moves, quickest=quickest, at_once=most)

    def upgrade(self, options: ReplayOptions, host: str) -> float:
        given = options.upgrade_seconds
        return self.upgrades.get(host, 0.0) if given is None else given

    def moving(self, options: ReplayOptions, leavers: Iterable[Server], host: str) -> float:
        """Return how long the servers of a node take to leave it at least, side by side."""
        seconds = sum(_given(options, s, self.moves.get((s.id, host), 0.0)) for s in leavers)
        return seconds / (options.concurrent_migrations or self.at_once.get(host, 1))

    def longest(self, options: ReplayOptions, leavers: Iterable[Server], host: str) -> float:
        """Return how long the longest move off a node takes: it does not go any faster beside others."""
        each = (_given(options, s, self.moves.get((s.id, host), 0.0)) for s in leavers)
        return max(each, default=0.0)

    def moving_again(self, options: ReplayOptions, leavers: Iterable[Server]) -> float:
        """Return how long the same servers hold up the nodes that they leave later, wherever those are."""
        seconds = sum(_given(options, s, self.quickest.get(s.id, 0.0)) for s in leavers)
        return seconds / (options.concurrent_migrations or max(self.at_once.values(), default=1))


def _given(options: ReplayOptions, server: Server, measured: float) -> float:
    """Return how long a move of a server takes by the options, else as measured."""
    if options.migration_fixed_seconds is None:
        return measured
    gib = server.resources.get(_MEMORY, 0) / 1024
    return options.migration_fixed_seconds + options.migration_seconds_per_gib * gib


def _swing_seconds(world: ReplayedCloud, start: Start, upgraded: Collection[str], times: _Times) -> float:
    """Return the largest bound by free capacity over domains and resource classes."""
    out: dict[tuple[str, str], float] = defaultdict(float)
    free: Counter[tuple[str, str]] = Counter()
    for host, played in world.nodes.items():
        if not played.node.eligible_destination:
            continue
        seconds = times.upgrade(world.options, host) if host in upgraded else 0.0
        for key, (room, moving) in _rooms(played, start).items():
            out[key] += seconds * room
            free[key] += room - moving
    return max((out[key] / left for key, left in free.items() if left > 0), default=0.0)


def _rooms(played: PlayedNode, start: Start) -> dict[tuple[str, str], tuple[int, int]]:
    """Return by domain and class what a node has beside what stays on it, and what of that has to move."""
    host = played.node.host
    moving: Counter[str] = Counter()
    for server in start.leavers[host]:
        moving.update(server.resources)
    return {
        (played.node.domain, name): (capacity - start.used[host].get(name, 0) + moving[name], moving[name])
        for name, capacity in played.capacity.items()
    }
