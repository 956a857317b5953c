"""Admission: which node may go out of service now.

:func:`decide_admissions` is asked by every waiting node about the same state and gives each the same answer:
nobody has to hand out turns. :func:`check_lease_kept` is the check after the lease was written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from escalator.model.campaign import CampaignPlan, LedgerView, NodeState
from escalator.model.cloud import CloudSnapshot, ComputeService
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.lease import Lease
from escalator.model.verdict import Code
from escalator.model.watchers import StopSign
from escalator.upgrade_manager.drain.placing import DrainSimulation, place
from escalator.upgrade_manager.schedule.admission_rules import (
    EARLY_RULES,
    RULES,
    AdmissionState,
    find_decision,
    make_decision,
)
from escalator.upgrade_manager.schedule.approvals import is_one_by_one
from escalator.upgrade_manager.schedule.limits import find_limit, wait_for_places
from escalator.upgrade_manager.schedule.round import Round
from escalator.upgrade_manager.schedule.round_state import RoundState
from escalator.upgrade_manager.schedule.waits import end_wait, explain_obstacle
from escalator.upgrade_manager.state.availability import Availability, to_seconds
from escalator.upgrade_manager.state.capacity import Tier
from escalator.upgrade_manager.state.memberships import Memberships

AGAIN, AWAY = 1, 2
"""How late a node comes whose part has ended, and one for which nobody asks: that one does not go at all."""


def decide_admissions(
    snapshot: CloudSnapshot,
    plan: CampaignPlan,
    ledger: LedgerView,
    now: datetime,
    *,
    asking: Collection[str] | None = None,
    signs: Collection[StopSign] = (),
) -> Mapping[str, AdmissionDecision]:
    """Decide for every host of a plan, and every host that was asked for, whether it may go now.

    The nodes are asked in the order of the plan, each knowing those that were admitted before it. A node
    whose part in the campaign ended comes after them; one for which nobody asks takes no turn.

    :param snapshot: the cloud as it is.
    :param ledger: how the campaign's own nodes stand.
    :param now: an aware time.
    :param asking: hosts for which somebody waits at the door now; None: for all of them.
    :param signs: what those say who watch the cloud: nodes that are not out yet wait for it.
    :return: host -> decision, in the order of the plan.
    """
    state = AdmissionState.of(snapshot, plan, ledger, now, signs)
    hosts = tuple(dict.fromkeys((*plan.named_hosts, *plan.request.hosts)))
    decisions: dict[str, AdmissionDecision] = {}
    free: list[str] = []
    early: set[str] = set()
    for host in hosts:
        decision = find_decision(EARLY_RULES, state, host)
        if decision is not None:
            early.add(host)
        decision = decision or find_decision(RULES, state, host)
        if decision is None:
            free.append(host)
        else:
            decisions[host] = decision
    late = _find_late(state, free, asking)
    decisions |= _decide_departures(state, sorted(free, key=lambda h: late.get(h, 0)), late)
    if plan.request.dry_run:
        decisions |= {h: _describe_dry(d, state) for h, d in decisions.items() if h not in early}
    return {host: decisions[host] for host in hosts}


def check_lease_kept(
    services: Sequence[ComputeService],
    neighbours: Collection[str],
    plan: CampaignPlan,
    host: str,
    *,
    snapshot: CloudSnapshot | None = None,
    now: datetime | None = None,
    lost: Collection[str] = (),
) -> AdmissionDecision:
    """Check, after a lease was written, that it is there and that no more nodes are out than allowed.

    :param services: the compute services, read after the write.
    :param neighbours: hosts whose drains count against this one's.
    :param snapshot: the cloud before the write: with it, HA groups are checked against what is out now.
    :param now: an aware time, for the recovery of HA groups.
    :param lost: hosts that the run lost to somebody: what is left of its lease there takes no place.
    :return: ADMIT when the lease may stay; WAIT when it must be undone (or is gone), to come again later.
    """
    near = {*neighbours, host} - {*lost}
    out = {s.host: lease for s in services if s.host in near and (lease := s.counting_lease) is not None}
    if host not in out or not plan.lease(host).same_holder(out[host]):
        return make_decision(host, Admission.WAIT, Code.LEASE_LOST, "the lease just taken is not there")
    limit = _find_limit(plan, out)
    if len(out) > limit:
        beside = {name: out[name] for name in sorted(out.keys() - {host})}
        return wait_for_places(host, _name_others(plan, beside), limit)
    if snapshot is not None:
        gone = {s.host for s in services if not s.eligible_destination} - {host}
        availability = Availability(Memberships(snapshot), out=gone)
        obstacle = availability.find_obstacle(host, to_seconds(now) if now is not None else 0.0)
        if obstacle is not None:
            return replace(explain_obstacle(host, obstacle), admission=Admission.WAIT)
    return make_decision(host, Admission.ADMIT, Code.ADMITTED, f"{len(out)} of at most {limit} node(s) out")


def _find_late(
    state: AdmissionState, free: Iterable[str], asking: Collection[str] | None
) -> Mapping[str, int]:
    """Return who comes after the others: first whose part has ended, then for whom nobody asks.

    Nothing keeps in a node that was held and given back, and nobody comes for it until its task is cleared.
    """
    found = {host: AGAIN for host in free if host in state.ended}
    if asking is not None:
        found |= {host: AWAY for host in free if host not in asking}
    return found


def _decide_departures(
    state: AdmissionState, free: list[str], late: Mapping[str, int]
) -> dict[str, AdmissionDecision]:
    """Decide for the nodes that nothing forbids: places, HA groups, and the room for their servers."""
    round_state, cramped = _open_round(state, free, late)
    before = {domain: sorted(hosts) for domain, hosts in round_state.out.items()}
    admitted: dict[str, AdmissionDecision] = {}
    going: list[str] = []
    one_by_one = is_one_by_one(state.plan, state.ledger)

    def limited(host: str) -> AdmissionDecision | None:
        leases = state.leases_beside(state.nodes[host])
        limit = 1 if one_by_one else _find_limit(state.plan, leases)
        if len(leases) >= limit:
            return wait_for_places(host, _name_others(state.plan, leases), limit)
        out = {*leases, *going}
        if len(out) >= limit:
            return _wait_for_going(host, going, limit)
        return _wait_for_cramped(host, out, cramped) or (_stay_away(host) if late.get(host) == AWAY else None)

    for departure in Round(round_state, to_seconds(state.now), limited).choose_departures():
        domain = state.nodes[departure.host].domain
        beside = len({*before.get(domain, ()), *going})
        going.append(departure.host)
        again = " again" if departure.host in state.ended else ""
        message = f"the node may go{again}: {beside} out beside it, every server has a place"
        admitted[departure.host] = make_decision(departure.host, Admission.ADMIT, Code.ADMITTED, message)
    rest = {
        h: _choose_reason(round_state, h, limited(h)) or _wait_behind(h, going)
        for h in free
        if h not in admitted
    }
    return admitted | {host: _lose_patience(state, round_state, found) for host, found in rest.items()}


def _lose_patience(
    state: AdmissionState, round_state: RoundState, decision: AdmissionDecision
) -> AdmissionDecision:
    """Hold a node that waits for room in vain; a maintenance window ends such a wait itself."""
    told = state.ledger.of(decision.host)
    domain = state.nodes[decision.host].domain
    looked_at = decision is round_state.reasons.get(decision.host)
    waits = looked_at and (decision.admission, decision.code) == (Admission.WAIT, Code.CAPACITY)
    if not waits or state.plan.window_end or round_state.out.get(domain) or told.since is None:
        return decision
    if (told.state, told.code) != (NodeState.WAITING, Code.CAPACITY):
        return decision
    back = (at for host, at in state.ledger.given_back.items() if state.is_in(host, domain))
    left = (n.since for n in state.ledger.nodes if n.host in state.ended and state.is_in(n.host, domain))
    began = max((told.since, *back, *(at for at in left if at is not None)))
    return end_wait(decision, state.now - began)


def _choose_reason(
    round_state: RoundState, host: str, limited: AdmissionDecision | None
) -> AdmissionDecision | None:
    """Return why a node does not go: what waiting will not mend is said first."""
    found = round_state.reasons.get(host)
    return found if found is not None and found.admission is Admission.HOLD else limited or found


def _wait_for_going(host: str, going: Iterable[str], limit: int) -> AdmissionDecision:
    message = f"{', '.join(going)} goes first; at most {limit} at once"
    return make_decision(host, Admission.WAIT, Code.PARALLEL_LIMIT, message)


def _stay_away(host: str) -> AdmissionDecision:
    message = "nobody waits for it at the door: it takes no turn"
    return make_decision(host, Admission.WAIT, Code.PARALLEL_LIMIT, message)


def _wait_behind(host: str, going: Iterable[str]) -> AdmissionDecision:
    before = f"{', '.join(going)} goes first" if going else "nodes before it in the order have no room"
    return make_decision(host, Admission.WAIT, Code.CAPACITY, f"{before}: it is looked at next time")


def _wait_for_cramped(
    host: str, out: Collection[str], cramped: Mapping[str, DrainSimulation]
) -> AdmissionDecision | None:
    """Let no node go while one is out whose own servers lack room."""
    lacking = min((other for other in out if other in cramped), default=None)
    if lacking is None:
        return None
    message = f"not while {', '.join(sorted(out))} is out: {cramped[lacking].shortfall}"
    return make_decision(host, Admission.WAIT, Code.CAPACITY, message)


def _open_round(
    state: AdmissionState, free: list[str], late: Mapping[str, int]
) -> tuple[RoundState, dict[str, DrainSimulation]]:
    """Prepare a round: what is out keeps its claim on the places of its servers.

    :return: the state of the round, and the nodes that are out whose own servers have no place.
    """
    plan, nodes, book = state.plan, state.nodes, state.book
    out_of_service = {node.host for node in nodes.values() if not node.eligible_destination}
    queues: dict[str, list[str]] = {}
    for host in free:
        queues.setdefault(nodes[host].domain, []).append(host)
    leased = {host for host, lease in state.leases.items() if lease.mark is None}
    out: dict[str, set[str]] = {}
    absent: dict[str, list[str]] = {}
    for host in sorted(out_of_service):
        if nodes[host].domain in queues:
            if host in leased:
                out.setdefault(nodes[host].domain, set()).add(host)
            else:
                absent.setdefault(nodes[host].domain, []).append(host)
    round_state = RoundState(
        book=book,
        availability=_read_availability(state, out_of_service),
        queues=queues,
        out=out,
        durations=plan.expected,
        slots=plan.request.max_parallel + len(leased - state.own),
        spill=plan.request.spill,
        absent=absent,
        moved_twice=sum(state.ledger.moved_twice.values()),
        rank_of={host: number for number, host in enumerate(free)},
        late=late,
    )
    cramped: dict[str, DrainSimulation] = {}
    for host in sorted(host for hosts in out.values() for host in hosts):
        servers = book.movable((host,))
        placing = place(book, servers, closed={host})
        for server in servers:
            if server.id in placing.placements:
                round_state.claim(server, placing.placements[server.id])
        if placing.unplaced:
            cramped[host] = placing.simulation()
    return round_state, cramped


def _read_availability(state: AdmissionState, out: Collection[str]) -> Availability:
    noticed = state.ledger.noticed_at
    return Availability(
        state.book.memberships,
        out=out,
        given_back={host: to_seconds(moment) for host, moment in state.ledger.given_back.items()},
        noticed_at=to_seconds(noticed) if noticed is not None else float("-inf"),
        ready=state.ledger.ready,
    )


def open_round_beside(
    snapshot: CloudSnapshot, plan: CampaignPlan, ledger: LedgerView, now: datetime
) -> RoundState:
    """Prepare a round as an admission does, to ask it where there is room beside what nodes will need.

    Every node of the plan waits in it that is still to be upgraded and not out, whatever keeps it in now.

    :param now: an aware time.
    """
    state = AdmissionState.of(snapshot, plan, ledger, now)
    gone = state.ended | state.leases.keys()
    waiting = [h for h in plan.hosts if state.book.tiers.get(h) is Tier.PENDING and h not in gone]
    return _open_round(state, waiting, {})[0]


def _find_limit(plan: CampaignPlan, leases: Mapping[str, Lease]) -> int:
    others = _name_others(plan, leases).values()
    return find_limit(plan.request.max_parallel, (lease for lease in others if lease is not None))


def _name_others(plan: CampaignPlan, leases: Mapping[str, Lease]) -> dict[str, Lease | None]:
    """Return each node that is out with the lease of another campaign, or None for one of our own."""
    return {host: None if plan.lease(host).same_holder(lease) else lease for host, lease in leases.items()}


def _describe_dry(decision: AdmissionDecision, state: AdmissionState) -> AdmissionDecision:
    """Turn a decision into what a dry run says of it."""
    would = {
        Admission.ADMIT: "would go out now",
        Admission.WAIT: "would wait",
        Admission.SKIP: "would be skipped",
        Admission.HOLD: "would be held",
        Admission.STOP: "would not go out any more",
    }[decision.admission]
    rank = f"rank {state.plan.hosts.index(decision.host) + 1} of {len(state.plan.hosts)}"
    message = f"dry run, nothing is done: the node {would} ({rank}): {decision.message}"
    return replace(decision, admission=Admission.SKIP, code=Code.DRY_RUN, message=message)
