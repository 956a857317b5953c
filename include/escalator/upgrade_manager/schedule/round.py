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
from escalator.upgrade_manager.schedule.round_state import Standing, Turn
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
"""Passes of a round: whether nodes wait for those before them in the order, and whether they may spill."""

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


def turns(standing: Standing, now: float, limited: Limited | None = None) -> Iterator[Turn]:
    """Give the nodes that go now, one after the other; each is recorded before the next is sought.

    First those whose servers need not move twice, in all domains; then those that spill. Where one node is
    out at a time, a domain whose next node has to wait for a moment lets others go first, to keep its order.

    :param now: seconds, on the clock of the availability.
    :param limited: says of a host why it may not go although nothing else forbids it; None: nothing does.
    """
    for patient, spilling in _ONE_AT_A_TIME if standing.slots == 1 else _SEVERAL:
        exhausted = set(standing.quiet)
        while (domain := _neediest(standing, exhausted)) is not None:
            turn = _next_of(standing, domain, now, limited, patient=patient, spilling=spilling)
            if turn is None:
                exhausted.add(domain)
                if spilling:
                    standing.quiet.add(domain)
                continue
            standing.admit(turn)
            yield turn


def _neediest(standing: Standing, exhausted: Collection[str]) -> str | None:
    """Return the domain whose turn it is: below its fair share the first in order, else the least above."""
    waiting = [d for d, queue in standing.queues.items() if queue and d not in exhausted]
    if not waiting or sum(map(len, standing.out.values())) >= standing.slots:
        return None
    if len(standing.queues) == 1:
        return waiting[0]
    shares = standing.shares()
    lacking = {d: shares[d] - len(standing.out.get(d, ())) for d in waiting}
    below = [d for d in waiting if lacking[d] > 0]
    if below:
        return min(
            below, key=lambda d: (1 - lacking[d] / shares[d], standing.place_of[standing.queues[d][0]])
        )
    return max(waiting, key=lambda d: (lacking[d], d))


def _next_of(
    standing: Standing, domain: str, now: float, limited: Limited | None, *, patient: bool, spilling: bool
) -> Turn | None:
    """Return the first node of a domain that may go without spilling; else, if asked, one that spills.

    :param patient: where a node has to wait for a moment, none that comes later in its order goes;
        nowhere does one that comes after all others.
    """
    room = _room(standing.book, domain)
    seeds = _wants_seed(standing, domain)
    crowded: list[tuple[int, int, str]] = []
    passing = False
    for number, host in enumerate(_candidates(standing, domain)):
        if patient and host in standing.late:
            return None
        decision = limited(host) if limited is not None else None
        obstacle = standing.availability.obstacle(host, now) if decision is None else None
        if obstacle is not None:
            passing = passing or obstacle.until is not None
            decision = ha_decision(host, obstacle)
            if patient and passing:
                return None
        decision = decision or _expecting(standing, host)
        if decision is not None:
            standing.reasons[host] = decision
            continue
        placed = _place_without_spilling(standing, host, room, seeds=seeds)
        if placed is not None:
            return Turn(host=host, simulation=placed)
        if spilling:
            crowded.append((_least_spilled(standing, host, room), number, host))
    if not spilling:
        return None
    free = not standing.out.get(domain) and not passing
    return _least_spilling(standing, domain, sorted(crowded), free=free)


def _place_without_spilling(
    standing: Standing, host: str, room: int, *, seeds: bool
) -> DrainSimulation | None:
    """Place the servers of a node on nodes that need not be upgraded any more; those of a seed on any."""
    if standing.demand(host) <= room:
        placed = _fits(standing.book, standing.leaving(host), host, Tier.SPARE)
        if placed is not None:
            return placed
    if not seeds:
        return None
    placed = _any_place(standing, standing.book.nodes[host].domain, host)
    return placed if placed.feasible else None


def _wants_seed(standing: Standing, domain: str) -> bool:
    """Tell whether a node of a domain has to be emptied onto pending ones, as there are no others yet."""
    tiers = standing.book.open_tiers(domain)
    return not (standing.out.get(domain) or tiers[Tier.UPGRADED] or tiers[Tier.SPARE])


def _least_spilling(
    standing: Standing, domain: str, hosts: Sequence[tuple[int, int, str]], *, free: bool
) -> Turn | None:
    """Return the node that spills least, if that is affordable; note of the others why they wait.

    :param hosts: how many servers each spills at least, its number in the order, and its name.
    :param free: it costs no budget, as nothing else goes on in the domain.
    """
    best: Turn | None = None
    tries = TRIES
    for least, _, host in hosts:
        if best is not None and least >= best.simulation.spilled:
            break
        if tries and (free or _affordable(standing, least)):
            tries -= 1
            placed = _any_place(standing, domain, host)
            if not placed.feasible:
                standing.reasons[host] = _no_room(standing, host, placed)
                continue
            if free or _affordable(standing, placed.spilled):
                if best is None or placed.spilled < best.simulation.spilled:
                    best = Turn(host=host, simulation=placed, charged=0 if free else placed.spilled)
                continue
        if standing.explain:
            standing.reasons[host] = _waits_for_room(standing, host, least)
    return best


def _any_place(standing: Standing, domain: str, host: str) -> DrainSimulation:
    """Place the servers of a node on any node; where nothing else goes on in the domain, by every fit."""
    servers = standing.leaving(host)
    placed = _fits(standing.book, servers, host, Tier.PENDING)
    if placed is not None:
        return placed
    if standing.explain or not standing.out.get(domain):
        return place(standing.book, servers, closed={host}).simulation()
    return _NOWHERE


def _least_spilled(standing: Standing, host: str, room: int) -> int:
    """Return how many servers of a node go to pending nodes at least: the largest that the room lacks."""
    demands = standing.demands(host)
    return bisect_left(demands, demands[-1] - room)


def _candidates(standing: Standing, domain: str) -> Sequence[str]:
    """Return the next nodes of a domain in order; near the end the most entangled and longest first."""
    queue = standing.queues[domain]
    soon = _TAIL_ROUNDS * -(-standing.slots // len(standing.queues))
    if standing.slots == 1 or len(queue) > soon or _wants_seed(standing, domain):
        return queue[: max(WINDOW, soon)]
    return sorted(
        queue,
        key=lambda h: (
            h in standing.late,
            -_conflicts(standing, h),
            -standing.work(h),
            standing.place_of[h],
        ),
    )


def _conflicts(standing: Standing, host: str) -> int:
    """Return how many other waiting nodes cannot be out together with a node, counted once a group."""
    availability, groups = standing.availability, standing.book.memberships.ha_groups
    return sum(
        standing.waits(availability.host_of(member))
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


def _affordable(standing: Standing, spilled: int) -> bool:
    """Tell whether the budget carries that many further moves to pending nodes."""
    return standing.spill >= 1 or standing.spilled + spilled <= standing.spill * standing.movable


def _expecting(standing: Standing, host: str) -> AdmissionDecision | None:
    """Let a node wait to which servers are on their way."""
    if not (standing.moving and standing.claims.get(host)):
        return None
    message = f"{len(standing.claims[host])} server(s) are on their way to it"
    return AdmissionDecision(host=host, admission=Admission.WAIT, code=Code.NODE_NOT_EMPTY, message=message)


def ha_decision(host: str, obstacle: Obstacle) -> AdmissionDecision:
    """Say what an obstacle of an HA group means for a node."""
    return AdmissionDecision(
        host=host,
        admission=Admission.HOLD if obstacle.lasting else Admission.WAIT,
        code=obstacle.code,
        message=f"waiting will not help: {obstacle.message}" if obstacle.lasting else obstacle.message,
    )


def _no_room(standing: Standing, host: str, simulation: DrainSimulation) -> AdmissionDecision:
    """Say why the servers of a node have no place, and whether waiting helps."""
    node = standing.book.nodes[host]
    out = _some(standing.out.get(node.domain, ()))
    absent = _some(set(standing.absent.get(node.domain, ())) - {host})
    if out:
        message, admission = f"not while {out} is out: {simulation.shortfall}", Admission.WAIT
    elif absent:
        message = f"not without {absent}, down or disabled now: {simulation.shortfall}"
        admission = Admission.WAIT
    else:
        message, admission = f"waiting will not help: {simulation.shortfall}", Admission.HOLD
    return AdmissionDecision(host=host, admission=admission, code=Code.CAPACITY, message=message)


def _waits_for_room(standing: Standing, host: str, spilled: int) -> AdmissionDecision:
    out = _some(standing.out.get(standing.book.nodes[host].domain, ()))
    until = f"until {out} is back" if out else "on upgraded nodes"
    message = f"{spilled} of its servers would have to move twice: it waits for room {until}"
    return AdmissionDecision(host=host, admission=Admission.WAIT, code=Code.CAPACITY, message=message)


def _some(hosts: Collection[str]) -> str:
    """Name some hosts: the first few in order, and how many more there are."""
    named = ", ".join(nsmallest(_NAMED, hosts))
    return f"{named} and {len(hosts) - _NAMED} more" if len(hosts) > _NAMED else named
