"""The state of a round: what waits, what is out and what is claimed when a campaign decides."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import fsum

from escalator.model.cloud import Server
from escalator.model.decisions import AdmissionDecision
from escalator.model.durations import Durations
from escalator.model.step import Step
from escalator.upgrade_manager.drain.placing import DrainSimulation
from escalator.upgrade_manager.state.availability import Availability
from escalator.upgrade_manager.state.capacity import MEMORY, CapacityBook, Tier, sort_largest_first


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """A node that goes out now, with the places of its servers; ``charged`` of their moves cost budget."""

    host: str
    simulation: DrainSimulation
    charged: int = 0


@dataclass(slots=True, kw_only=True)
class RoundState:
    """What waits, what is out and what the nodes carry. A round writes its departures into it.

    :ivar queues: domain -> hosts that wait, in the order of the plan.
    :ivar out: domain -> hosts that are out and will come back.
    :ivar absent: domain -> hosts that take no server now and may come back without this campaign.
    :ivar moved_twice: moves so far to nodes that were still to be upgraded, beside what cannot be helped.
    :ivar spill: share of all movable servers that such moves may be.
    :ivar slots: nodes that may be out at once.
    :ivar reasons: why a host that was looked at in this round does not go.
    :ivar rank_of: host -> its number in the order of the plan.
    :ivar late: hosts that come after all others; the higher the number, the later.
    :ivar claims: host -> servers of nodes that are out, for which places are taken there.
    :ivar quiet: domains of which no node could go, and in which nothing has happened since.
    :ivar on_the_way: ids of standbys that are being moved.
    :ivar moving: claims are moves under way, which cannot be given other places any more.
    :ivar explain: say of every host exactly what it lacks, which takes time.
    """

    book: CapacityBook
    availability: Availability
    queues: dict[str, list[str]]
    out: dict[str, set[str]]
    durations: Durations
    slots: int
    rank_of: Mapping[str, int]
    spill: float = 1.0
    absent: Mapping[str, Collection[str]] = field(default_factory=dict)
    moved_twice: int = 0
    reasons: dict[str, AdmissionDecision] = field(default_factory=dict)
    late: Mapping[str, int] = field(default_factory=dict)
    claims: dict[str, dict[str, Server]] = field(default_factory=dict)
    moving: bool = False
    quiet: set[str] = field(default_factory=set)
    on_the_way: set[str] = field(default_factory=set)
    explain: bool = True
    _left: dict[str, float] = field(default_factory=dict)
    _largest: dict[str, int] = field(default_factory=dict)
    _demands: dict[str, list[int]] = field(default_factory=dict)
    _leaving: dict[str, tuple[Server, ...]] = field(default_factory=dict)
    _movable: int | None = None
    _seconds: dict[str, float] = field(default_factory=dict)

    @property
    def movable(self) -> int:
        """Return how many servers have to move, in all domains with waiting nodes."""
        if self._movable is None:
            hosts = [n.host for n in self.book.nodes.values() if n.domain in self.queues]
            self._movable = len(self.book.movable(hosts))
        return self._movable

    def leaving(self, host: str) -> tuple[Server, ...]:
        """Return the servers that need another place when a node goes, with those on their way to it."""
        if host not in self._leaving:
            claimed = self.claims.get(host, {}).values()
            self._leaving[host] = sort_largest_first((*self.book.movable((host,)), *claimed))
        return self._leaving[host]

    def compute_demand(self, host: str) -> int:
        """Return the memory that the servers of a node need elsewhere (MiB)."""
        return self.list_demands(host)[-1]

    def list_demands(self, host: str) -> Sequence[int]:
        """Return the memory that no server, the first, the first two, and so on, need elsewhere (MiB)."""
        found = self._demands.get(host)
        if found is None:
            sizes = (s.resources.get(MEMORY, 0) for s in self.leaving(host))
            found = self._demands[host] = list(accumulate(sizes, initial=0))
        return found

    def waits(self, host: str | None) -> bool:
        """Tell whether a node is still to be upgraded and not out."""
        return host in self.rank_of and host in self.book.tiers and self.book.tiers[host] is Tier.PENDING

    def forget(self, host: str) -> None:
        """Look anew at a node whose servers have changed."""
        self._leaving.pop(host, None)
        self._demands.pop(host, None)
        domain = self.book.nodes[host].domain
        self._largest.pop(domain, None)
        self.quiet.discard(domain)

    def estimate_seconds(self, host: str) -> float:
        """Return about how many seconds a node is out."""
        if host not in self._seconds:
            moves = len(self.book.servers(host)) / self.durations.moves_at_once
            self._seconds[host] = (
                self.durations.of(Step.UPGRADE).p50 + moves * self.durations.move_fixed_seconds + 1.0
            )
        return self._seconds[host]

    def find_largest_demand(self, domain: str) -> int:
        """Return the memory that the fullest waiting node of a domain has to move (MiB)."""
        if domain not in self._largest:
            self._largest[domain] = max(map(self.compute_demand, self.queues.get(domain, ())), default=0)
        return self._largest[domain]

    def compute_shares(self) -> dict[str, float]:
        """Return how many nodes of each domain may be out, by the work that is left in it."""
        if not self._left:
            self._left.update(
                {d: fsum(map(self.estimate_seconds, queue)) for d, queue in self.queues.items()}
            )
        left = dict(self._left)
        for domain, out in self.out.items():
            left[domain] = left.get(domain, 0.0) + fsum(map(self.estimate_seconds, out)) / 2
        total = fsum(left.values()) or 1.0
        return {d: self.slots * work / total for d, work in left.items()}

    def admit(self, departure: Departure) -> None:
        """Record that a node goes out and that places are taken for its servers."""
        domain = self.book.nodes[departure.host].domain
        if self._left:
            self._left[domain] -= self.estimate_seconds(departure.host)
        self.queues[domain].remove(departure.host)
        self._largest.pop(domain, None)
        self.out.setdefault(domain, set()).add(departure.host)
        self.availability.take_out(departure.host)
        self.book.close(departure.host)
        self.moved_twice += departure.charged
        self.reasons.pop(departure.host, None)
        claimed = self.claims.pop(departure.host, {}).values()
        for server in claimed:
            if self.book.heading.get(server.id) != departure.host:
                self.book.take(departure.host, server, give_back=True)
                self.book.expect(departure.host, server, over=True)
        for server in (*self.book.servers(departure.host), *claimed):
            destination = departure.simulation.placements.get(server.id)
            if destination is not None:
                self.claim(server, destination)

    def claim(self, server: Server, host: str) -> None:
        """Take a place for a server that is on its way, or will be; where it is counted already, none."""
        if self.book.heading.get(server.id) != host:
            self.book.take(host, server)
            self.book.expect(host, server)
        self.claims.setdefault(host, {})[server.id] = server
        if self.book.tiers[host] is Tier.PENDING:
            self.forget(host)
