"""Turns: which of the nodes that nothing forbids go next, and where their servers go.

One greedy round serves the admission of a real campaign and the simulator alike. What matters, in this order:
no HA group beyond its limit; a fair share of the places for each domain; one node a domain that is emptied
onto nodes still to be upgraded (the seed), and afterwards only what the spill budget allows; long nodes first
near the end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from heapq import nsmallest

from escalator.model.cloud import Server
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.verdict import Code, Subject, SubjectType, Verdict
from escalator.upgrade_manager.drain.placing import DrainSimulation, Fit, Placing, place
from escalator.upgrade_manager.schedule.round_state import Departure, RoundState
from escalator.upgrade_manager.state.availability import Obstacle
from escalator.upgrade_manager.state.capacity import CapacityBook, Tier

WINDOW = 64
"""Nodes of a domain that are looked at before the rest has to wait for the next event."""
TRIES = 6
"""Nodes of a domain that are tried on nodes still to be upgraded, to find the one that spills least."""
_TAIL_ROUNDS = 3
"""The tail begins when so many rounds of the domain's places are left."""

_NAMED = 5
"""Hosts that a message names one by one."""
_SEVERAL = ((False, False), (False, True))
_ONE_AT_A_TIME = ((True, False), *_SEVERAL)
"""Sweeps of a round: whether nodes wait for those before them in the order, and whether they may spill."""

Limited = Callable[[str], AdmissionDecision | None]


_NOWHERE = DrainSimulation(
    placements={},
    unplaced=(
        Verdict(
            code=Code.CAPACITY,
            message="no room while other nodes are out",
            subject=Subject(type=SubjectType.NODE, id=""),
        ),
    ),
)


def turns(state: RoundState, now: float, limited: Limited | None = None) -> Iterator[Departure]:
    """Give the nodes that go now, one after the other; each is recorded before the next is sought.

    First those whose servers need not move twice, in all domains; then those that spill. Where one node is
    out at a time, a domain whose next node has to wait for a moment lets others go first, to keep its order.

    :param now: seconds, on the clock of the availability.
    :param limited: says of a host why it may not go although nothing else forbids it; None: nothing does.
    """
    for patient, twice in _ONE_AT_A_TIME if state.slots == 1 else _SEVERAL:
        exhausted = set(state.quiet)
        while (domain := _neediest(state, exhausted)) is not None:
            departure = _next_of(state, domain, now, limited, patient=patient, twice=twice)
            if departure is None:
                exhausted.add(domain)
                if twice:
                    state.quiet.add(domain)
                continue
            state.admit(departure)
            yield departure


def _neediest(state: RoundState, exhausted: Collection[str]) -> str | None:
    """Return the domain whose turn it is: below its fair share the first in order, else the least above."""
    waiting = [d for d, queue in state.queues.items() if queue and d not in exhausted]
    if not waiting or sum(map(len, state.out.values())) >= state.slots:
        return None
    if len(state.queues) == 1:
        return waiting[0]
    shares = state.shares()
    lacking = {d: shares[d] - len(state.out.get(d, ())) for d in waiting}
    below = [d for d in waiting if lacking[d] > 0]
    if below:
        return min(below, key=lambda d: (1 - lacking[d] / shares[d], state.rank_of[state.queues[d][0]]))
    return max(waiting, key=lambda d: (lacking[d], d))


def _next_of(
    state: RoundState, domain: str, now: float, limited: Limited | None, *, patient: bool, twice: bool
) -> Departure | None:
    """Return the first node of a domain that may go without twice; else, if asked, one that spills.

    :param patient: where a node has to wait for a moment, none that comes later in its order goes;
        nowhere does one that comes after all others.
    """
    room = _room(state.book, domain)
    first = _needs_first_node(state, domain)
    crowded: list[tuple[int, int, str]] = []
    passing = False
    for number, host in enumerate(_candidates(state, domain)):
        if patient and host in state.late:
            return None
        decision = limited(host) if limited is not None else None
        obstacle = state.availability.obstacle(host, now) if decision is None else None
        if obstacle is not None:
            passing = passing or obstacle.until is not None
            decision = ha_decision(host, obstacle)
            if patient and passing:
                return None
        decision = decision or _expecting(state, host)
        if decision is not None:
            state.reasons[host] = decision
            continue
        placed = _place_for_good(state, host, room, first=first)
        if placed is not None:
            return Departure(host=host, simulation=placed)
        if twice:
            crowded.append((_count_least_twice(state, host, room), number, host))
    if not twice:
        return None
    free = not state.out.get(domain) and not passing
    return _choose_fewest_twice(state, domain, sorted(crowded), free=free)


def _place_for_good(state: RoundState, host: str, room: int, *, first: bool) -> DrainSimulation | None:
    """Place the servers of a node on nodes that need not be upgraded any more; those of a seed on any."""
    if state.demand(host) <= room:
        placed = _fits(state.book, state.leaving(host), host, Tier.SPARE)
        if placed is not None:
            return placed
    if not first:
        return None
    placed = _any_place(state, state.book.nodes[host].domain, host)
    return placed if placed.feasible else None


def _needs_first_node(state: RoundState, domain: str) -> bool:
    """Tell whether a node of a domain has to be emptied onto pending ones, as there are no others yet."""
    tiers = state.book.open_tiers(domain)
    return not (state.out.get(domain) or tiers[Tier.UPGRADED] or tiers[Tier.SPARE])


def _choose_fewest_twice(
    state: RoundState, domain: str, hosts: Sequence[tuple[int, int, str]], *, free: bool
) -> Departure | None:
    """Return the node that spills least, if that is affordable; note of the others why they wait.

    :param hosts: how many servers each spills at least, its number in the order, and its name.
    :param free: it costs no budget, as nothing else goes on in the domain.
    """
    best: Departure | None = None
    tries = TRIES
    for least, _, host in hosts:
        if best is not None and least >= best.simulation.moved_twice:
            break
        if tries and (free or _is_affordable(state, least)):
            tries -= 1
            placed = _any_place(state, domain, host)
            if not placed.feasible:
                state.reasons[host] = _no_room(state, host, placed)
                continue
            if free or _is_affordable(state, placed.moved_twice):
                if best is None or placed.moved_twice < best.simulation.moved_twice:
                    best = Departure(host=host, simulation=placed, charged=0 if free else placed.moved_twice)
                continue
        if state.explain:
            state.reasons[host] = _waits_for_room(state, host, least)
    return best


def _any_place(state: RoundState, domain: str, host: str) -> DrainSimulation:
    """Place the servers of a node on any node; where nothing else goes on in the domain, by every fit."""
    servers = state.leaving(host)
    placed = _fits(state.book, servers, host, Tier.PENDING)
    if placed is not None:
        return placed
    if state.explain or not state.out.get(domain):
        return place(state.book, servers, closed={host}).simulation()
    return _NOWHERE


def _count_least_twice(state: RoundState, host: str, room: int) -> int:
    """Return how many servers of a node go to pending nodes at least: the largest that the room lacks."""
    demands = state.demands(host)
    return bisect_left(demands, demands[-1] - room)


def _candidates(state: RoundState, domain: str) -> Sequence[str]:
    """Return the next nodes of a domain in order; near the end the most entangled and longest first."""
    queue = state.queues[domain]
    soon = _TAIL_ROUNDS * -(-state.slots // len(state.queues))
    if state.slots == 1 or len(queue) > soon or _needs_first_node(state, domain):
        return queue[: max(WINDOW, soon)]
    return sorted(
        queue,
        key=lambda h: (
            h in state.late,
            -_conflicts(state, h),
            -state.work(h),
            state.rank_of[h],
        ),
    )


def _conflicts(state: RoundState, host: str) -> int:
    """Return how many other waiting nodes cannot be out together with a node, counted once a group."""
    availability, groups = state.availability, state.book.memberships.ha_groups
    return sum(
        state.waits(availability.host_of(member))
        for group, here in availability.groups_on(host).items()
        for member in groups[group].members
        if member not in here
    )


def _room(book: CapacityBook, domain: str) -> int:
    """Return the free memory of a domain's nodes that need not be upgraded any more (MiB)."""
    tiers = book.open_tiers(domain)
    return sum(free for tier in tiers[: Tier.PENDING] for free, _ in tier if free > 0)


def _fits(book: CapacityBook, servers: Sequence[Server], host: str, worst: Tier) -> DrainSimulation | None:
    """Place all servers, or give up at the first without a place."""
    placing = Placing(book, closed=(host,), worst=worst, fit=Fit.LAST)
    return placing.simulation() if all(placing.try_add(server) for server in servers) else None


def _is_affordable(state: RoundState, moved_twice: int) -> bool:
    """Tell whether the budget carries that many further moves to pending nodes."""
    return state.spill >= 1 or state.moved_twice + moved_twice <= state.spill * state.movable


def _expecting(state: RoundState, host: str) -> AdmissionDecision | None:
    """Let a node wait to which servers are on their way."""
    if not (state.moving and state.claims.get(host)):
        return None
    message = f"{len(state.claims[host])} server(s) are on their way to it"
    return AdmissionDecision(host=host, admission=Admission.WAIT, code=Code.NODE_NOT_EMPTY, message=message)


def ha_decision(host: str, obstacle: Obstacle) -> AdmissionDecision:
    """Say what an obstacle of an HA group means for a node."""
    return AdmissionDecision(
        host=host,
        admission=Admission.HOLD if obstacle.lasting else Admission.WAIT,
        code=obstacle.code,
        message=f"waiting will not help: {obstacle.message}" if obstacle.lasting else obstacle.message,
    )


def _no_room(state: RoundState, host: str, simulation: DrainSimulation) -> AdmissionDecision:
    """Say why the servers of a node have no place, and whether waiting helps."""
    node = state.book.nodes[host]
    out = _some(state.out.get(node.domain, ()))
    absent = _some(set(state.absent.get(node.domain, ())) - {host})
    if out:
        message, admission = f"not while {out} is out: {simulation.shortfall}", Admission.WAIT
    elif absent:
        message = f"not without {absent}, down or disabled now: {simulation.shortfall}"
        admission = Admission.WAIT
    else:
        message, admission = f"waiting will not help: {simulation.shortfall}", Admission.HOLD
    return AdmissionDecision(host=host, admission=admission, code=Code.CAPACITY, message=message)


def _waits_for_room(state: RoundState, host: str, moved_twice: int) -> AdmissionDecision:
    out = _some(state.out.get(state.book.nodes[host].domain, ()))
    until = f"until {out} is back" if out else "on upgraded nodes"
    message = f"{moved_twice} of its servers would have to move twice: it waits for room {until}"
    return AdmissionDecision(host=host, admission=Admission.WAIT, code=Code.CAPACITY, message=message)


def _some(hosts: Collection[str]) -> str:
    """Name some hosts: the first few in order, and how many more there are."""
    named = ", ".join(nsmallest(_NAMED, hosts))
    return f"{named} and {len(hosts) - _NAMED} more" if len(hosts) > _NAMED else named
