"""Rules of admission: what keeps a node in, or lets it go, before its servers and its turn are looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from escalator.model.campaign import CampaignPlan, LedgerView, NodeState
from escalator.model.cloud import CloudSnapshot, Node, ServiceState, ServiceStatus
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.lease import Lease
from escalator.model.verdict import Code
from escalator.upgrade_manager.drain.durations import estimate_node_seconds
from escalator.upgrade_manager.state.capacity import CapacityBook
from escalator.upgrade_manager.state.domains import are_neighbours

_ENDED = frozenset({NodeState.RELEASED, NodeState.SKIPPED, NodeState.HELD, NodeState.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionState:
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
    window_end: datetime | None
    """The earlier of the ends of the windows, if there is any."""
    book: CapacityBook
    ended: frozenset[str]
    """Hosts whose part in the campaign ended, or that this run left out of service under a marked lease."""

    @classmethod
    def of(
        cls, snapshot: CloudSnapshot, plan: CampaignPlan, ledger: LedgerView, now: datetime
    ) -> AdmissionState:
        """Look at the cloud and the ledger as they are at a moment (aware)."""
        leases = {node.host: lease for node in snapshot.nodes if (lease := node.lease) is not None}
        own = frozenset(host for host, lease in leases.items() if plan.lease(host).same_holder(lease))
        ends = [end for end in (plan.window_end, plan.request.window_end) if end is not None]
        marked = {host for host in own if leases[host].mark is not None}
        book = CapacityBook(snapshot, members_stay=plan.members_stay, pending=set(plan.hosts))
        book.expect_order(plan.hosts)
        return cls(
            snapshot=snapshot,
            plan=plan,
            ledger=ledger,
            now=now,
            nodes=book.nodes,
            leases=leases,
            own=own,
            selected=frozenset(plan.hosts),
            window_end=min(ends, default=None),
            book=book,
            failed=frozenset({n.host for n in ledger.nodes if n.state is NodeState.FAILED} | marked),
            ended=frozenset({n.host for n in ledger.nodes if n.state in _ENDED} | marked),
        )

    def leases_beside(self, node: Node) -> dict[str, Lease]:
        """Return the unmarked leases whose nodes count against this one: its neighbours', and all our own."""
        return {
            host: lease
            for host, lease in sorted(self.leases.items())
            if lease.mark is None
            and host != node.host
            and (host in self.own or are_neighbours(node, self.nodes[host]))
        }


Rule = Callable[[AdmissionState, str], AdmissionDecision | None]


def _not_selected(state: AdmissionState, host: str) -> AdmissionDecision | None:
    if host in state.selected:
        return None
    return make_decision(host, Admission.SKIP, Code.NOT_SELECTED, "the node is not part of this campaign")


def _unknown(state: AdmissionState, host: str) -> AdmissionDecision | None:
    if host in state.nodes:
        return None
    message = (
        f"the cloud knows no compute service on {host}: correct the inventory, or bring the service back"
    )
    return make_decision(host, Admission.HOLD, Code.NODE_UNKNOWN, message)


def _already_ours(state: AdmissionState, host: str) -> AdmissionDecision | None:
    if host not in state.own or state.leases[host].mark is not None:
        return None
    return make_decision(
        host, Admission.ADMIT, Code.ADMITTED, "the node is out under this run's lease already"
    )


def _upgraded(state: AdmissionState, host: str) -> AdmissionDecision | None:
    node = state.nodes[host]
    if not node.upgraded or node.status is not ServiceStatus.ENABLED:
        return None
    message = f"the node runs {state.plan.target_version} already"
    return make_decision(host, Admission.SKIP, Code.ALREADY_UPGRADED, message)


def _disabled(state: AdmissionState, host: str) -> AdmissionDecision | None:
    node = state.nodes[host]
    if node.status is ServiceStatus.ENABLED or host in state.leases:
        return None
    reason = f"with the reason {node.disabled_reason!r}" if node.disabled_reason else "without a reason"
    return make_decision(
        host,
        Admission.SKIP,
        Code.DISABLED_BY_OTHERS,
        f"somebody disabled the node {reason}: it stays as it is",
    )


def _leased(state: AdmissionState, host: str) -> AdmissionDecision | None:
    lease = state.leases.get(host)
    if lease is None or host in state.own:
        return None
    who = f"campaign {lease.campaign} (run {lease.run})"
    if lease.mark is None:
        return make_decision(
            host, Admission.WAIT, Code.LEASED_BY_OTHERS, f"{who} has the node out of service now"
        )
    message = (
        f"{who} left the node out of service as {lease.mark}: find the cause, mend it, "
        f"then clear the node's tasks in that run or enable its compute service by hand"
    )
    return make_decision(host, Admission.HOLD, Code.LEASED_BY_OTHERS, message)


def _down(state: AdmissionState, host: str) -> AdmissionDecision | None:
    node = state.nodes[host]
    if host in state.own or (node.state is ServiceState.UP and not node.forced_down):
        return None  # a node of ours that is down is what its own steps are to mend
    how = "is forced down" if node.forced_down else "sends no heartbeat"
    message = f"nova-compute on {host} {how}: its servers cannot be moved; bring it up first"
    return make_decision(host, Admission.WAIT, Code.NODE_DOWN, message)


def _budget(state: AdmissionState, host: str) -> AdmissionDecision | None:
    failed = sorted(state.failed - {host})
    allowed = state.plan.request.max_failed_nodes
    if len(failed) <= allowed:
        return None
    message = f"{', '.join(failed)} failed or is held, and {allowed} may: no further node goes out"
    return make_decision(host, Admission.STOP, Code.FAILURE_BUDGET, message)


def _window(state: AdmissionState, host: str) -> AdmissionDecision | None:
    """Stop at the end of the window, and before it when the node may not be done by then."""
    end = state.window_end
    if end is None:
        return None
    if state.now >= end:
        message = f"the window closed at {end.isoformat()}: no further node goes out"
        return make_decision(host, Admission.STOP, Code.WINDOW_CLOSED, message)
    needed = timedelta(seconds=estimate_node_seconds(state.book.movable((host,)), state.plan.expected).p90)
    if state.now + needed <= end:
        return None
    message = (
        f"the window closes at {end.isoformat()}, and nine nodes in ten like this one take up to "
        f"{round(needed.total_seconds())} s: it would not be back in time"
    )
    return make_decision(host, Admission.STOP, Code.WINDOW_CLOSED, message)


EARLY_RULES: tuple[Rule, ...] = (_not_selected, _unknown, _already_ours, _upgraded)
"""What holds in a dry run as well."""
RULES: tuple[Rule, ...] = (_disabled, _leased, _down, _budget, _window)


def find_decision(rules: tuple[Rule, ...], state: AdmissionState, host: str) -> AdmissionDecision | None:
    """Return the decision of the first rule that has one; None when nothing forbids the node."""
    for rule in rules:
        decision = rule(state, host)
        if decision is not None:
            return decision
    return None


def make_decision(host: str, admission: Admission, code: Code, message: str) -> AdmissionDecision:
    """Make the decision about a host."""
    return AdmissionDecision(host=host, admission=admission, code=code, message=message)
