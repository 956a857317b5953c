"""Admission: which node may go out of service now.

:func:`decide` is asked by every waiting node about the same state and gives every one the same answer, so
that nobody has to hand out turns. :func:`lease_kept` is the check after the lease was written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from escalator.model.campaign import CampaignPlan, LedgerView, NodeState
from escalator.model.cloud import CloudSnapshot, ComputeService, Node, ServiceState, ServiceStatus
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.lease import Lease
from escalator.model.verdict import Code
from escalator.upgrade_manager.availability import Availability, seconds_of
from escalator.upgrade_manager.capacity import CapacityBook
from escalator.upgrade_manager.domains import adjoining
from escalator.upgrade_manager.expectations import node_seconds
from escalator.upgrade_manager.placing import DrainSimulation, place
from escalator.upgrade_manager.standing import Standing
from escalator.upgrade_manager.turns import ha_decision, turns

_ENDED = frozenset({NodeState.RELEASED, NodeState.SKIPPED, NodeState.HELD, NodeState.FAILED})


def decide(
    snapshot: CloudSnapshot,
    plan: CampaignPlan,
    ledger: LedgerView,
    now: datetime,
    *,
    asking: Collection[str] | None = None,
) -> Mapping[str, AdmissionDecision]:
    """Decide for every host of a plan, and every host that was asked for, whether it may go now.

    The nodes are asked in the order of the plan, each knowing those that were admitted before it. A node
    whose part in the campaign ended, or for which nobody asks, comes last: it takes nobody's turn.

    :param snapshot: the cloud as it is.
    :param ledger: how the campaign's own nodes stand.
    :param now: an aware time.
    :param asking: hosts for which somebody waits at the door now; None: for all of them.
    :return: host -> decision, in the order of the plan.
    """
    scene = _Scene.of(snapshot, plan, ledger, now)
    hosts = tuple(dict.fromkeys((*plan.hosts, *plan.request.hosts)))
    decisions: dict[str, AdmissionDecision] = {}
    free: list[str] = []
    early: set[str] = set()
    for host in hosts:
        decision = _first(_EARLY_RULES, scene, host)
        if decision is not None:
            early.add(host)
        decision = decision or _first(_RULES, scene, host)
        if decision is None:
            free.append(host)
        else:
            decisions[host] = decision
    late = {h for h in free if h in scene.ended or (asking is not None and h not in asking)}
    decisions |= _turns(scene, sorted(free, key=late.__contains__), late)
    if plan.request.dry_run:
        decisions |= {h: _dry(d, scene) for h, d in decisions.items() if h not in early}
    return {host: decisions[host] for host in hosts}


def lease_kept(
    services: Sequence[ComputeService],
    neighbours: Collection[str],
    plan: CampaignPlan,
    host: str,
    *,
    snapshot: CloudSnapshot | None = None,
    now: datetime | None = None,
) -> AdmissionDecision:
    """Check, after a lease was written, that it is there and that no more nodes are out than allowed.

    :param services: the compute services, read after the write.
    :param neighbours: hosts whose drains count against this one's.
    :param snapshot: the cloud before the write: with it, HA groups are checked against what is out now.
    :param now: an aware time, for the recovery of HA groups.
    :return: ADMIT when the lease may stay; WAIT when it must be undone (or is gone), to come again later.
    """
    leases = {s.host: s.lease for s in services if s.host in neighbours or s.host == host}
    out = {name: lease for name, lease in leases.items() if lease is not None and lease.mark is None}
    if host not in out or not plan.lease(host).same_holder(out[host]):
        return _decision(host, Admission.WAIT, Code.LEASE_LOST, "the lease just taken is not there")
    limit = _limit(plan, out)
    if len(out) > limit:
        return _limited(host, sorted(out.keys() - {host}), limit)
    if snapshot is not None:
        book = CapacityBook(snapshot)
        gone = {s.host for s in services if not _in_service(s)} - {host}
        availability = Availability(snapshot.servers, book.memberships, out=gone)
        obstacle = availability.obstacle(host, seconds_of(now) if now is not None else 0.0)
        if obstacle is not None:
            return replace(ha_decision(host, obstacle), admission=Admission.WAIT)
    return _decision(host, Admission.ADMIT, Code.ADMITTED, f"{len(out)} of at most {limit} node(s) out")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """All that a decision looks at, prepared once."""

    snapshot: CloudSnapshot
    plan: CampaignPlan
    ledger: LedgerView
    now: datetime
    nodes: Mapping[str, Node]
    leases: Mapping[str, Lease]
    own: frozenset[str]
    """Hosts whose lease this run holds."""
    failed: frozenset[str]
    """Hosts that failed in this run, or that it left out of service with their old software."""
    selected: frozenset[str]
    """Hosts of the plan."""
    ended: frozenset[str]
    """Hosts whose part in the campaign ended, or that this run left out of service under a marked lease."""

    @classmethod
    def of(cls, snapshot: CloudSnapshot, plan: CampaignPlan, ledger: LedgerView, now: datetime) -> _Scene:
        leases = {node.host: lease for node in snapshot.nodes if (lease := node.lease) is not None}
        own = frozenset(host for host, lease in leases.items() if plan.lease(host).same_holder(lease))
        marked = {host for host in own if leases[host].mark is not None}
        return cls(
            snapshot=snapshot,
            plan=plan,
            ledger=ledger,
            now=now,
            nodes={node.host: node for node in snapshot.nodes},
            leases=leases,
            own=own,
            selected=frozenset(plan.hosts),
            failed=frozenset({n.host for n in ledger.nodes if n.state is NodeState.FAILED} | marked),
            ended=frozenset({n.host for n in ledger.nodes if n.state in _ENDED} | marked),
        )

    @property
    def ours_out(self) -> set[str]:
        """Return the hosts that are out under an unmarked lease of this run."""
        return {host for host in self.own if self.leases[host].mark is None}

    def leases_beside(self, node: Node) -> dict[str, Lease]:
        """Return the unmarked leases whose nodes count against this one: its neighbours', and all our own."""
        return {
            host: lease
            for host, lease in sorted(self.leases.items())
            if lease.mark is None
            and host != node.host
            and (host in self.own or adjoining(node, self.nodes[host]))
        }


_Rule = Callable[[_Scene, str], AdmissionDecision | None]


def _not_selected(scene: _Scene, host: str) -> AdmissionDecision | None:
    if host in scene.selected:
        return None
    return _decision(host, Admission.SKIP, Code.NOT_SELECTED, "the node is not part of this campaign")


def _unknown(scene: _Scene, host: str) -> AdmissionDecision | None:
    if host in scene.nodes:
        return None
    message = (
        f"the cloud knows no compute service on {host}: correct the inventory, or bring the service back"
    )
    return _decision(host, Admission.HOLD, Code.NODE_UNKNOWN, message)


def _already_ours(scene: _Scene, host: str) -> AdmissionDecision | None:
    if host not in scene.own or scene.leases[host].mark is not None:
        return None
    return _decision(host, Admission.ADMIT, Code.ADMITTED, "the node is out under this run's lease already")


def _upgraded(scene: _Scene, host: str) -> AdmissionDecision | None:
    node = scene.nodes[host]
    if not node.upgraded or node.status is not ServiceStatus.ENABLED:
        return None
    message = f"the node runs {scene.plan.target_version} already"
    return _decision(host, Admission.SKIP, Code.ALREADY_UPGRADED, message)


def _disabled(scene: _Scene, host: str) -> AdmissionDecision | None:
    node = scene.nodes[host]
    if node.status is ServiceStatus.ENABLED or host in scene.leases:
        return None
    reason = f"with the reason {node.disabled_reason!r}" if node.disabled_reason else "without a reason"
    return _decision(
        host,
        Admission.SKIP,
        Code.DISABLED_BY_OTHERS,
        f"somebody disabled the node {reason}: it stays as it is",
    )


def _leased(scene: _Scene, host: str) -> AdmissionDecision | None:
    lease = scene.leases.get(host)
    if lease is None or host in scene.own:
        return None
    who = f"campaign {lease.campaign} (run {lease.run})"
    if lease.mark is None:
        return _decision(
            host, Admission.WAIT, Code.LEASED_BY_OTHERS, f"{who} has the node out of service now"
        )
    message = (
        f"{who} left the node out of service as {lease.mark}: find the cause, mend it, "
        f"then clear the node's tasks in that run or enable its compute service by hand"
    )
    return _decision(host, Admission.HOLD, Code.LEASED_BY_OTHERS, message)


def _down(scene: _Scene, host: str) -> AdmissionDecision | None:
    node = scene.nodes[host]
    if host in scene.own or (node.state is ServiceState.UP and not node.forced_down):
        return None  # a node of ours that is down is what its own steps are to mend
    how = "is forced down" if node.forced_down else "sends no heartbeat"
    message = f"nova-compute on {host} {how}: its servers cannot be moved; bring it up first"
    return _decision(host, Admission.WAIT, Code.NODE_DOWN, message)


def _budget(scene: _Scene, host: str) -> AdmissionDecision | None:
    failed = sorted(scene.failed - {host})
    allowed = scene.plan.request.max_failed_nodes
    if len(failed) <= allowed:
        return None
    message = f"{', '.join(failed)} failed or is held, and {allowed} may: no further node goes out"
    return _decision(host, Admission.STOP, Code.FAILURE_BUDGET, message)


def _window(scene: _Scene, host: str) -> AdmissionDecision | None:
    """Stop at the end of the window, and before it when the node may not be done by then."""
    ends = [end for end in (scene.plan.window_end, scene.plan.request.window_end) if end is not None]
    if not ends:
        return None
    end = min(ends)
    if scene.now >= end:
        message = f"the window closed at {end.isoformat()}: no further node goes out"
        return _decision(host, Admission.STOP, Code.WINDOW_CLOSED, message)
    needed = timedelta(seconds=node_seconds(scene.snapshot.servers_on(host), scene.plan).p90)
    if scene.now + needed <= end:
        return None
    message = (
        f"the window closes at {end.isoformat()}, and nine nodes in ten like this one take up to "
        f"{round(needed.total_seconds())} s: it would not be back in time"
    )
    return _decision(host, Admission.STOP, Code.WINDOW_CLOSED, message)


_EARLY_RULES: tuple[_Rule, ...] = (_not_selected, _unknown, _already_ours, _upgraded)
"""What holds in a dry run as well."""
_RULES: tuple[_Rule, ...] = (_disabled, _leased, _down, _budget, _window)


def _first(rules: tuple[_Rule, ...], scene: _Scene, host: str) -> AdmissionDecision | None:
    return next((decision for rule in rules if (decision := rule(scene, host)) is not None), None)


def _turns(scene: _Scene, free: list[str], late: Collection[str]) -> dict[str, AdmissionDecision]:
    """Decide for the nodes that nothing forbids: places, HA groups, and the room for their servers."""
    standing, cramped = _standing(scene, free, late)
    before = {domain: sorted(hosts) for domain, hosts in standing.out.items()}
    admitted: dict[str, AdmissionDecision] = {}
    going: list[str] = []

    def limited(host: str) -> AdmissionDecision | None:
        leases = scene.leases_beside(scene.nodes[host])
        limit = _limit(scene.plan, leases)
        if len(leases) >= limit:
            return _limited(host, leases, limit)
        out = sorted({*leases, *going})
        return _later(host, going, limit) if len(out) >= limit else _cramped(host, out, cramped)

    for turn in turns(standing, seconds_of(scene.now), limited):
        domain = scene.nodes[turn.host].domain
        beside = len({*before.get(domain, ()), *going})
        going.append(turn.host)
        again = " again" if turn.host in scene.ended else ""
        message = f"the node may go{again}: {beside} out beside it, every server has a place"
        admitted[turn.host] = _decision(turn.host, Admission.ADMIT, Code.ADMITTED, message)
    rest = {h: _reason(standing, h, limited(h)) or _behind(h, going) for h in free if h not in admitted}
    return admitted | rest


def _reason(standing: Standing, host: str, limited: AdmissionDecision | None) -> AdmissionDecision | None:
    """Return why a node does not go: what waiting will not mend is said first."""
    found = standing.reasons.get(host)
    return found if found is not None and found.admission is Admission.HOLD else limited or found


def _later(host: str, going: Iterable[str], limit: int) -> AdmissionDecision:
    message = f"{', '.join(going)} goes first; at most {limit} at once"
    return _decision(host, Admission.WAIT, Code.PARALLEL_LIMIT, message)


def _behind(host: str, going: Iterable[str]) -> AdmissionDecision:
    before = f"{', '.join(going)} goes first" if going else "nodes before it in the order have no room"
    return _decision(host, Admission.WAIT, Code.CAPACITY, f"{before}: it is looked at next time")


def _cramped(
    host: str, out: Sequence[str], cramped: Mapping[str, DrainSimulation]
) -> AdmissionDecision | None:
    """Let nobody out beside a node whose own servers lack room."""
    lacking = next((cramped[other] for other in out if other in cramped), None)
    if lacking is None:
        return None
    message = f"not while {', '.join(out)} is out: {lacking.shortfall}"
    return _decision(host, Admission.WAIT, Code.CAPACITY, message)


def _standing(
    scene: _Scene, free: list[str], late: Collection[str]
) -> tuple[Standing, dict[str, DrainSimulation]]:
    """Prepare a round: what is out keeps its claim on the places of its servers.

    :return: how the campaign stands, and the nodes that are out whose own servers have no place.
    """
    plan, nodes = scene.plan, scene.nodes
    book = CapacityBook(scene.snapshot, members_stay=plan.members_stay, pending=set(plan.hosts))
    out_of_service = {node.host for node in nodes.values() if not node.eligible_destination}
    queues: dict[str, list[str]] = {}
    for host in free:
        queues.setdefault(nodes[host].domain, []).append(host)
    leased = {host for host, lease in scene.leases.items() if lease.mark is None}
    out: dict[str, set[str]] = {}
    absent: dict[str, list[str]] = {}
    for host in sorted(out_of_service):
        if nodes[host].domain in queues:
            if host in leased:
                out.setdefault(nodes[host].domain, set()).add(host)
            else:
                absent.setdefault(nodes[host].domain, []).append(host)
    noticed = scene.ledger.noticed_at
    standing = Standing(
        book=book,
        availability=Availability(
            scene.snapshot.servers,
            book.memberships,
            out=out_of_service,
            given_back={h: seconds_of(t) for h, t in scene.ledger.given_back.items()},
            noticed_at=seconds_of(noticed) if noticed is not None else float("-inf"),
        ),
        queues=queues,
        out=out,
        durations=plan.expected,
        slots=plan.request.max_parallel + len(leased - scene.own),
        spill=plan.request.spill,
        absent=absent,
        spilled=sum(scene.ledger.spilled.values()),
        place_of={host: number for number, host in enumerate(free)},
        late=late,
    )
    cramped: dict[str, DrainSimulation] = {}
    for host in sorted(host for hosts in out.values() for host in hosts):
        placing = place(book, book.movable((host,)), closed={host})
        for server in book.movable((host,)):
            if server.id in placing.placements:
                standing.claim(server, placing.placements[server.id])
        if placing.unplaced:
            cramped[host] = placing.simulation()
    return standing, cramped


def _in_service(service: ComputeService) -> bool:
    return (
        service.state is ServiceState.UP
        and service.status is ServiceStatus.ENABLED
        and not service.forced_down
    )


def _limit(plan: CampaignPlan, leases: Mapping[str, Lease]) -> int:
    """Return how many nodes may be out here: the least of what all the campaigns that have nodes out allow.

    A lease of another campaign that does not say its limit is taken to allow one.
    """
    others = (lease for host, lease in leases.items() if not plan.lease(host).same_holder(lease))
    return min((plan.request.max_parallel, *(lease.max_parallel or 1 for lease in others)))


def _limited(host: str, out: Iterable[str], limit: int) -> AdmissionDecision:
    message = f"out of service now: {', '.join(out)}; at most {limit} at once"
    return _decision(host, Admission.WAIT, Code.PARALLEL_LIMIT, message)


def _dry(decision: AdmissionDecision, scene: _Scene) -> AdmissionDecision:
    """Turn a decision into what a dry run says of it."""
    would = {
        Admission.ADMIT: "would go out now",
        Admission.WAIT: "would wait",
        Admission.SKIP: "would be skipped",
        Admission.HOLD: "would be held",
        Admission.STOP: "would not go out any more",
    }[decision.admission]
    turn = f"turn {scene.plan.hosts.index(decision.host) + 1} of {len(scene.plan.hosts)}"
    message = f"dry run, nothing is done: the node {would} ({turn}): {decision.message}"
    return replace(decision, admission=Admission.SKIP, code=Code.DRY_RUN, message=message)


def _decision(host: str, admission: Admission, code: Code, message: str) -> AdmissionDecision:
    return AdmissionDecision(host=host, admission=admission, code=code, message=message)
