"""Lower bounds: what no order of the nodes and no choice of destinations can go below."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from escalator.model.durations import Durations
from escalator.simulator.options import SimulationOptions
from escalator.simulator.played_cloud import PlayedCloud
from escalator.upgrade_manager.state.capacity import MEMORY, CapacityBook, Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class _NodeLoad:
    host: str
    domain: str
    moves: int
    moving_seconds: float
    longest_seconds: float
    upgrade_seconds: float

    @property
    def seconds(self) -> float:
        """Return the least time of the node: however many moves go at once, the longest takes its time."""
        return max(self.moving_seconds, self.longest_seconds) + self.upgrade_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class LowerBounds:
    """Moves: every movable server once, and those of the node that is emptied first, in each domain, twice.

    Makespan: all nodes' times and those second moves over K, the longest node, and what the spare capacity of
    a domain carries.
    """

    loads: tuple[_NodeLoad, ...]
    max_parallel: int
    with_spare: frozenset[str]
    """Domains with a node that takes servers and will not be upgraded any more."""
    rounds_seconds: float

    @property
    def moves(self) -> int:
        """Return the least number of moves."""
        return sum(load.moves for load in self.loads) + int(self._of_first_nodes(lambda load: load.moves))

    @property
    def makespan_seconds(self) -> float:
        """Return the least time from the first admission to the last release (s)."""
        if not self.loads:
            return 0.0
        seconds = [load.seconds for load in self.loads]
        lanes = sum(load.moving_seconds + load.upgrade_seconds for load in self.loads)
        lanes += self._of_first_nodes(lambda load: load.moving_seconds)
        return max(lanes / self.max_parallel, sum(seconds) / self.max_parallel, *seconds, self.rounds_seconds)

    def _of_first_nodes(self, weight: Callable[[_NodeLoad], float]) -> float:
        """Return what the first node of each domain weighs at least, where none takes servers for good."""
        least: dict[str, float] = {}
        for load in self.loads:
            if load.domain not in self.with_spare:
                least[load.domain] = min(weight(load), least.get(load.domain, weight(load)))
        return sum(least.values())

    def without(self, hosts: Collection[str]) -> LowerBounds:
        """Return the bounds when some nodes are not upgraded."""
        return LowerBounds(
            loads=tuple(load for load in self.loads if load.host not in hosts),
            max_parallel=self.max_parallel,
            with_spare=self.with_spare | {load.domain for load in self.loads if load.host in hosts},
            rounds_seconds=self.rounds_seconds if not hosts else 0.0,
        )


def compute_lower_bounds(played: PlayedCloud, options: SimulationOptions) -> LowerBounds:
    """Compute the bounds before anything happens."""
    book = played.state.book
    loads = tuple(_load(book, host, played.state.durations, options) for host in played.order.going)
    domains = {load.domain for load in loads}
    spare = frozenset(
        d for d in domains if any(book.open_tiers(d)[tier] for tier in (Tier.UPGRADED, Tier.SPARE))
    )
    rounds = max((_rounds(book, d, loads, options) for d in domains - spare), default=0.0)
    return LowerBounds(
        loads=loads, max_parallel=options.max_parallel, with_spare=spare, rounds_seconds=rounds
    )


def _load(book: CapacityBook, host: str, durations: Durations, options: SimulationOptions) -> _NodeLoad:
    servers = book.movable((host,))
    each = [durations.move_seconds(s.resources.get(MEMORY, 0)) for s in servers]
    return _NodeLoad(
        host=host,
        domain=book.nodes[host].domain,
        moves=len(servers),
        moving_seconds=sum(each) / options.concurrent_migrations,
        longest_seconds=max(each, default=0.0),
        upgrade_seconds=options.upgrade_seconds,
    )


def _rounds(book: CapacityBook, domain: str, loads: Iterable[_NodeLoad], options: SimulationOptions) -> float:
    """Return the time that the spare memory of a domain allows: t_up / (1 - u), u without what stays."""
    hosts = [load.host for load in loads if load.domain == domain]
    capacity = sum(
        book.nodes[h].inventory[MEMORY].capacity for h in hosts if MEMORY in book.nodes[h].inventory
    )
    moving = sum(s.resources.get(MEMORY, 0) for s in book.movable(hosts))
    staying = sum(book.used(h).get(MEMORY, 0) for h in hosts) - moving
    free = capacity - moving - staying
    if free <= 0 or capacity <= staying:
        return 0.0
    return options.upgrade_seconds * (capacity - staying) / free
