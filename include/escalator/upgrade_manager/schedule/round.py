"""The round: which of the nodes that nothing forbids go next, and where their servers go.

One greedy round serves the admission of a real campaign and the simulator alike. What matters, in this order:
no HA group beyond its limit; a fair share of the places for each domain; one node a domain that is emptied
onto nodes still to be upgraded (the first node), and afterwards only what the spill budget allows; long nodes
first near the end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence

from escalator.model.cloud import Server
from escalator.model.decisions import AdmissionDecision
from escalator.model.verdict import Code, Subject, Verdict
from escalator.upgrade_manager.drain.placing import DrainSimulation, Fit, Placing, place
from escalator.upgrade_manager.schedule.round_state import Departure, RoundState
from escalator.upgrade_manager.schedule.waits import (
    explain_arrivals,
    explain_lack_of_room,
    explain_obstacle,
    explain_second_moves,
)
from escalator.upgrade_manager.state.capacity import CapacityBook, Tier

LOOKED_AT = 64
"""So many nodes of a domain are looked at; the rest has to wait for the next event."""
TRIES = 6
"""So many nodes are tried on nodes still to be upgraded; the one with the fewest second moves goes."""
_TAIL_ROUNDS = 3
"""The tail begins when so many rounds of the domain's places are left."""

_SEVERAL = ((False, False), (False, True))
_ONE_AT_A_TIME = ((True, False), *_SEVERAL)
"""Sweeps of a round: do nodes wait for those before them in the order, and may servers move twice."""

Limited = Callable[[str], AdmissionDecision | None]


_NOWHERE = DrainSimulation(
    placements={},
    unplaced=(
        Verdict(
            code=Code.CAPACITY,
            message="no room while other nodes are out",
            subject=Subject.of_node(""),
        ),
    ),
)


class Round:
    """One round: the nodes that go at one moment. Each departure is recorded in the state before the next.

    :param state: what waits and what is out; the round writes into it.
    :param now: seconds, on the clock of the availability.
    :param limited: says of a host why it may not go although nothing else forbids it; None: nothing does.
    """

    def __init__(self, state: RoundState, now: float, limited: Limited | None = None) -> None:
        self._state = state
        self._book = state.book
        self._now = now
        self._limited = limited

    def choose_departures(self) -> Iterator[Departure]:
        """Give the nodes that go now, one after the other; each is recorded before the next is sought.

        First those whose servers need not move twice, in all domains; then those whose servers do. Where one
        node is out at a time, a domain whose next node has to wait for a moment lets others go first, to keep
        its order.
        """
        state = self._state
        for patient, twice in _ONE_AT_A_TIME if state.slots == 1 else _SEVERAL:
            exhausted = set(state.quiet)
            while (domain := self._find_neediest(exhausted)) is not None:
                departure = self._choose_next(domain, patient=patient, twice=twice)
                if departure is None:
                    exhausted.add(domain)
                    if twice:
                        state.quiet.add(domain)
                    continue
                state.admit(departure)
                yield departure

    def _find_neediest(self, exhausted: Collection[str]) -> str | None:
        """Return the domain that goes next: the neediest below its fair share, else the least above."""
        state = self._state
        waiting = [d for d, queue in state.queues.items() if queue and d not in exhausted]
        if not waiting or sum(map(len, state.out.values())) >= state.slots:
            return None
        if len(state.queues) == 1:
            return waiting[0]
        shares = state.compute_shares()
        lacking = {d: shares[d] - len(state.out.get(d, ())) for d in waiting}
        below = [d for d in waiting if lacking[d] > 0]
        if below:
            return min(below, key=lambda d: (1 - lacking[d] / shares[d], state.rank_of[state.queues[d][0]]))
        return max(waiting, key=lambda d: (lacking[d], d))

    def _choose_next(self, domain: str, *, patient: bool, twice: bool) -> Departure | None:
        """Return the first node of a domain none of whose servers moves twice; else, if asked, another.

        :param patient: where a node has to wait for a moment, none that comes later in its order goes;
            nowhere does one that comes after all others.
        :param twice: the node with the fewest servers that move twice may go.
        """
        state = self._state
        room = self._count_room(domain)
        first = self._needs_first_node(domain)
        crowded: list[tuple[int, int, str]] = []
        passing = False
        for number, host in enumerate(self._list_candidates(domain)):
            if patient and host in state.late:
                return None
            decision = self._limited(host) if self._limited is not None else None
            obstacle = state.availability.find_obstacle(host, self._now) if decision is None else None
            if obstacle is not None:
                passing = passing or obstacle.until is not None
                decision = explain_obstacle(host, obstacle)
                if patient and passing:
                    return None
            decision = decision or explain_arrivals(state, host)
            if decision is not None:
                state.reasons[host] = decision
                continue
            placed = self._place_for_good(host, room, first=first)
            if placed is not None:
                return Departure(host=host, simulation=placed)
            if twice:
                crowded.append((self._count_least_twice(host, room), number, host))
        if not twice:
            return None
        free = not state.out.get(domain) and not passing
        return self._choose_fewest_twice(domain, sorted(crowded), free=free)

    def _choose_fewest_twice(
        self, domain: str, hosts: Sequence[tuple[int, int, str]], *, free: bool
    ) -> Departure | None:
        """Return the node with the fewest second moves, if the budget carries them; say why the others wait.

        :param hosts: how many servers of each move twice at least, its number in the order, and its name.
        :param free: it costs no budget, as nothing else goes on in the domain.
        """
        state = self._state
        best: Departure | None = None
        tries = TRIES
        for least, _, host in hosts:
            if best is not None and least >= best.simulation.moved_twice:
                break
            if tries and (free or self._is_affordable(least)):
                tries -= 1
                placed = self._place_anywhere(domain, host)
                if not placed.feasible:
                    state.reasons[host] = explain_lack_of_room(state, host, placed)
                    continue
                moved_twice = placed.moved_twice
                if free or self._is_affordable(moved_twice):
                    if best is None or moved_twice < best.simulation.moved_twice:
                        best = Departure(host=host, simulation=placed, charged=0 if free else moved_twice)
                    continue
            if state.explain:
                state.reasons[host] = explain_second_moves(state, host, least)
        return best

    def _list_candidates(self, domain: str) -> Sequence[str]:
        """Return the next nodes of a domain in order; near the end the most entangled and longest first."""
        state = self._state
        queue = state.queues[domain]
        soon = _TAIL_ROUNDS * -(-state.slots // len(state.queues))
        if state.slots == 1 or len(queue) > soon or self._needs_first_node(domain):
            return queue[: max(LOOKED_AT, soon)]
        return sorted(
            queue,
            key=lambda h: (
                state.late.get(h, 0),
                -self._count_conflicts(h),
                -state.estimate_seconds(h),
                state.rank_of[h],
            ),
        )

    def _count_conflicts(self, host: str) -> int:
        """Return how many other waiting nodes cannot be out together with a node, counted once a group."""
        availability, groups = self._state.availability, self._book.memberships.ha_groups
        return sum(
            self._state.waits(availability.host_of(member))
            for group, here in availability.groups_on(host).items()
            for member in groups[group].members
            if member not in here
        )

    def _needs_first_node(self, domain: str) -> bool:
        """Tell whether a node of a domain has to be emptied onto pending ones, as there are no others yet."""
        tiers = self._book.open_tiers(domain)
        return not (self._state.out.get(domain) or tiers[Tier.UPGRADED] or tiers[Tier.SPARE])

    def _count_room(self, domain: str) -> int:
        """Return the free memory of a domain's nodes that need not be upgraded any more (MiB)."""
        tiers = self._book.open_tiers(domain)
        return sum(free for tier in tiers[: Tier.PENDING] for free, _ in tier if free > 0)

    def _count_least_twice(self, host: str, room: int) -> int:
        """Return how many servers of a node move twice at least: the largest, which find no room."""
        demands = self._state.list_demands(host)
        return bisect_left(demands, demands[-1] - room)

    def _is_affordable(self, moves: int) -> bool:
        """Tell whether the budget carries that many further moves to pending nodes."""
        state = self._state
        return state.spill >= 1 or state.moved_twice + moves <= state.spill * state.movable

    def _place_for_good(self, host: str, room: int, *, first: bool) -> DrainSimulation | None:
        """Place the servers of a node on nodes that need not be upgraded any more.

        :param room: free memory of those nodes (MiB).
        :param first: the node is the first of its domain: its servers go to any node.
        """
        if self._state.compute_demand(host) <= room:
            placed = _fit_all(self._book, self._state.leaving(host), host, Tier.SPARE)
            if placed is not None:
                return placed
        if not first:
            return None
        placed = self._place_anywhere(self._book.nodes[host].domain, host)
        return placed if placed.feasible else None

    def _place_anywhere(self, domain: str, host: str) -> DrainSimulation:
        """Place the servers of a node on any node; where nothing else goes on in the domain, by every fit."""
        state = self._state
        servers = state.leaving(host)
        placed = _fit_all(self._book, servers, host, Tier.PENDING)
        if placed is not None:
            return placed
        if state.explain or not state.out.get(domain):
            return place(self._book, servers, closed={host}).simulation()
        return _NOWHERE


def _fit_all(book: CapacityBook, servers: Sequence[Server], host: str, worst: Tier) -> DrainSimulation | None:
    """Place all servers, or give up at the first without a place."""
    placing = Placing(book, closed=(host,), worst=worst, fit=Fit.LAST)
    return placing.simulation() if all(placing.try_add(server) for server in servers) else None
