"""Admission: which node may go out of service now.

:func:`decide` is asked by every waiting node about the same state and gives every one the same answer, so
that nobody has to hand out turns. :func:`lease_kept` is the check after the lease was written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from escalator.model.campaign import CampaignPlan, LedgerView, NodeState
from escalator.model.cloud import CloudSnapshot, ComputeService, Node, ServiceState, ServiceStatus
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.lease import Lease
from escalator.model.verdict import Code
from escalator.upgrade_manager.capacity import CapacityBook
from escalator.upgrade_manager.domains import adjoining

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
    admitted: list[str] = []
    for host in sorted(hosts, key=lambda h: h in scene.ended or (asking is not None and h not in asking)):
        decision = _first(_EARLY_RULES, scene, host)
        if decision is None:
            decision = _first(_RULES, scene, host) or _turn(scene, scene.nodes[host], admitted)
            if decision.admission is Admission.ADMIT:
                admitted.append(host)
            if plan.request.dry_run:
                decision = _dry(decision, scene)
        decisions[host] = decision
    return {host: decisions[host] for host in hosts}


def lease_kept(
    services: Sequence[ComputeService], neighbours: Collection[str], plan: CampaignPlan, host: str
) -> AdmissionDecision:
    """Check, after a lease was written, that it is there and that no more nodes are out than allowed.

    :param services: the compute services, read after the write.
    :param neighbours: hosts whose drains count against this one's.
    :return: ADMIT when the lease may stay; WAIT when it must be undone (or is gone), to come again later.
    """
    leases = {s.host: s.lease for s in services if s.host in neighbours or s.host == host}
    out = {name: lease for name, lease in leases.items() if lease is not None and lease.mark is None}
    if host not in out or not plan.lease(host).same_holder(out[host]):
        return _decision(host, Admission.WAIT, Code.LEASE_LOST, "the lease just taken is not there")
    limit = _limit(plan, out)
    if len(out) > limit:
        return _limited(host, sorted(out.keys() - {host}), limit)
    return _decision(host, Admission.ADMIT, Code.ADMITTED, f"{len(out)} of at most {limit} node(s) out")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """All that a decision looks at, prepared once."""

    plan: CampaignPlan
    now: datetime
    nodes: Mapping[str, Node]
    leases: Mapping[str, Lease]
    own: frozenset[str]
    """Hosts whose lease this run holds."""
    failed: frozenset[str]
    """Hosts that failed in this run, or that it left out of service with their old software."""
    ended: frozenset[str]
    """Hosts whose part in the campaign ended, or that this run left out of service under a marked lease."""
    book: CapacityBook

    @classmethod
    def of(cls, snapshot: CloudSnapshot, plan: CampaignPlan, ledger: LedgerView, now: datetime) -> _Scene:
        leases = {node.host: lease for node in snapshot.nodes if (lease := node.lease) is not None}
        own = frozenset(host for host, lease in leases.items() if plan.lease(host).same_holder(lease))
        recorded = {n.host for n in ledger.nodes if n.state is NodeState.FAILED}
        ended = {n.host for n in ledger.nodes if n.state in _ENDED}
        return cls(
            plan=plan,
            now=now,
            nodes={node.host: node for node in snapshot.nodes},
            leases=leases,
            own=own,
            failed=frozenset(recorded | {host for host in own if leases[host].mark is not None}),
            ended=frozenset(ended | {host for host in own if leases[host].mark is not None}),
            book=CapacityBook(snapshot),
        )

    def out_beside(self, node: Node) -> dict[str, Lease]:
        """Return the unmarked leases whose nodes count against this one."""
        return {
            host: lease
            for host, lease in sorted(self.leases.items())
            if lease.mark is None and adjoining(node, self.nodes[host])
        }


_Rule = Callable[[_Scene, str], AdmissionDecision | None]


def _not_selected(scene: _Scene, host: str) -> AdmissionDecision | None:
    if host in scene.plan.hosts:
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
    ends = [end for end in (scene.plan.window_end, scene.plan.request.window_end) if end is not None]
    if not ends or scene.now < min(ends):
        return None
    message = f"the window closed at {min(ends).isoformat()}: no further node goes out"
    return _decision(host, Admission.STOP, Code.WINDOW_CLOSED, message)


_EARLY_RULES: tuple[_Rule, ...] = (_not_selected, _unknown, _already_ours, _upgraded)
"""What holds in a dry run as well."""
_RULES: tuple[_Rule, ...] = (_disabled, _leased, _down, _budget, _window)


def _first(rules: tuple[_Rule, ...], scene: _Scene, host: str) -> AdmissionDecision | None:
    return next((decision for rule in rules if (decision := rule(scene, host)) is not None), None)


def _turn(scene: _Scene, node: Node, admitted: Sequence[str]) -> AdmissionDecision:
    """Decide for a node that nothing forbids, by the places that are free and the room for its servers.

    :param admitted: hosts that this decision let go already.
    """
    leases = scene.out_beside(node)
    limit = _limit(scene.plan, leases)
    out = sorted({*leases, *(h for h in admitted if adjoining(node, scene.nodes[h]))})
    if len(out) >= limit:
        return _limited(node.host, out, limit)
    simulation = scene.book.simulate({node.host, *out})
    if simulation.feasible:
        again = " again" if node.host in scene.ended else ""
        message = f"the node may go{again}: {len(out)} of at most {limit} out, every server has a place"
        return _decision(node.host, Admission.ADMIT, Code.ADMITTED, message)
    if out:
        message = f"not while {', '.join(out)} is out: {simulation.shortfall}"
        return _decision(node.host, Admission.WAIT, Code.CAPACITY, message)
    absent = [other.host for other in scene.nodes.values() if _absent_beside(node, other)]
    if absent:
        message = f"not without {', '.join(sorted(absent))}, down or disabled now: {simulation.shortfall}"
        return _decision(node.host, Admission.WAIT, Code.CAPACITY, message)
    return _decision(
        node.host, Admission.HOLD, Code.CAPACITY, f"waiting will not help: {simulation.shortfall}"
    )


def _absent_beside(node: Node, other: Node) -> bool:
    return other.host != node.host and adjoining(node, other) and not other.eligible_destination


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
