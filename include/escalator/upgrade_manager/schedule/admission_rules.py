"""Rules of admission: what keeps a node in, or lets it go, before its servers and its turn are looked at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from escalator.model.campaign import CampaignPlan, LedgerView, NodeProgress, NodeState, OnInterruption
from escalator.model.cloud import CloudSnapshot, ComputeService, Node
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.lease import Lease, LeasePhase
from escalator.model.verdict import Code
from escalator.model.watchers import StopSign, find_sign
from escalator.orders.rules import decide_by_bar, decide_by_pause
from escalator.upgrade_manager.drain.durations import estimate_node_seconds
from escalator.upgrade_manager.drain.stops import mark_unmovable
from escalator.upgrade_manager.schedule.approvals import find_unapproved
from escalator.upgrade_manager.schedule.one_way import find_asked, find_crossing
from escalator.upgrade_manager.state.capacity import CapacityBook
from escalator.upgrade_manager.state.domains import are_neighbours
from escalator.upgrade_manager.state.eligibility import Bar, find_bar

_IN_A_DRY_RUN_AS_WELL = frozenset({Code.NODE_UNKNOWN, Code.NODE_BARE_METAL, Code.ALREADY_UPGRADED})
_LEFT_ALONE = frozenset({Code.ALREADY_UPGRADED, Code.DISABLED_BY_OTHERS, Code.NODE_BARE_METAL})


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
    """Hosts whose lease this run holds, word for word as it wrote it."""
    altered: frozenset[str]
    """Hosts whose lease is this run's, but not as it wrote it: it leaves them alone.

    Where it wrote none at all, the lease is another's: of a copy of this run, or from before the ledger.
    """
    taken: frozenset[str]
    """Hosts that are under way in this run, but that somebody took from it: their steps will say so."""
    failed: frozenset[str]
    """Hosts that failed in this run, that it left out with their old software, or that somebody took."""
    harmed: frozenset[str]
    """Hosts that are out and held because a server went into ERROR while it was moved off them."""
    selected: frozenset[str]
    """Hosts of the plan."""
    bars: Mapping[str, Bar]
    """Why hosts of the plan may not be touched; those that may are not in it."""
    book: CapacityBook
    ended: frozenset[str]
    """Hosts whose part in the campaign ended, or that this run left out of service under a marked lease."""
    signs: tuple[StopSign, ...] = ()
    """What those say who watch the cloud."""

    @classmethod
    def of(
        cls,
        snapshot: CloudSnapshot,
        plan: CampaignPlan,
        ledger: LedgerView,
        now: datetime,
        signs: Collection[StopSign] = (),
    ) -> AdmissionState:
        """Look at the cloud and the ledger as they are at a moment (aware)."""
        snapshot = mark_unmovable(snapshot, plan.request.mode)
        leases = {node.host: lease for node in snapshot.nodes if (lease := node.lease) is not None}
        of_this_run = {n.host for n in snapshot.nodes if ledger.leases.get(n.host) and plan.owns(n)}
        own = frozenset(
            n.host
            for n in snapshot.nodes
            if n.host in of_this_run and n.disabled_reason in ledger.leases[n.host]
        )
        marked = {host for host in of_this_run if leases[host].mark is not None}
        lost = find_lost(ledger.nodes) - own
        remnants = find_remnants(plan, ledger, snapshot.nodes)
        book = CapacityBook(snapshot, members_stay=plan.members_stay, pending=set(plan.hosts))
        book.expect_order(plan.hosts)
        return cls(
            snapshot=snapshot,
            plan=plan,
            ledger=ledger,
            now=now,
            nodes=book.nodes,
            leases={host: lease for host, lease in leases.items() if host not in remnants},
            own=own,
            selected=frozenset(plan.hosts),
            bars=_find_bars(plan, book.nodes, own),
            book=book,
            harmed=frozenset(
                n.host
                for n in ledger.nodes
                if (n.state, n.code) == (NodeState.HELD, Code.SERVER_ERROR)
                and n.host in own
                and leases[n.host].phase is not LeasePhase.ADMITTED
            ),
            failed=frozenset({n.host for n in ledger.nodes if n.state is NodeState.FAILED} | marked | lost),
            altered=frozenset(of_this_run - own),
            taken=frozenset({n.host for n in ledger.nodes if n.state.under_way} - own),
            ended=frozenset({n.host for n in ledger.nodes if n.state.ended} | marked),
            signs=tuple(signs),
        )

    def is_in(self, host: str, domain: str) -> bool:
        """Tell whether a host is a node of a domain."""
        return host in self.nodes and self.nodes[host].domain == domain

    def serves(self, host: str) -> bool:
        """Tell whether a node is in service, or out under a lease of its own."""
        node = self.nodes.get(host)
        return node is not None and (node.eligible_destination or host in self.leases)

    def leases_beside(self, node: Node) -> dict[str, Lease]:
        """Return the unmarked leases whose nodes count against this one: its neighbours', and all our own."""
        return {
            host: lease
            for host, lease in sorted(self.leases.items())
            if lease.mark is None
            and host != node.host
            and (host in self.own or are_neighbours(node, self.nodes[host]))
        }


def _find_bars(plan: CampaignPlan, nodes: Mapping[str, Node], own: Collection[str]) -> dict[str, Bar]:
    """Find why hosts of the plan may not be touched."""
    found = {}
    for host in plan.hosts:
        node = nodes.get(host)
        ours = host in own or (node is not None and plan.takes_over(node))
        if (bar := find_bar(host, node, ours=ours)) is not None:
            found[host] = bar
    return found


Rule = Callable[[AdmissionState, str], AdmissionDecision | None]


def find_lost(nodes: Iterable[NodeProgress]) -> frozenset[str]:
    """Return the hosts that the run lost to somebody."""
    return frozenset(n.host for n in nodes if n.state is NodeState.HELD and n.code is Code.LEASE_LOST)


def find_remnants(
    plan: CampaignPlan, ledger: LedgerView, services: Iterable[ComputeService | Node]
) -> frozenset[str]:
    """Return the hosts that the run lost to somebody who left our lease there, with other words.

    They are out as what a person disabled is: without a place of K, and no destination. A lease that the run
    never wrote takes a place all the same: whoever wrote it, another campaign or a copy of this run, goes on.
    """
    lost = find_lost(ledger.nodes)
    found = set()
    for service in services:
        written = ledger.leases.get(service.host, ())
        if service.host in lost and plan.owns(service) and service.disabled_reason not in written:
            nonces = {lease.nonce for text in written if (lease := Lease.parse(text)) is not None}
            found |= {service.host} if service.lease and service.lease.nonce in nonces else set()
    return frozenset(found)


def _left_out(state: AdmissionState, host: str) -> AdmissionDecision | None:
    """Pass over a node that the start of the campaign left out, with the reason that it gave."""
    found = next((node for node in state.plan.left_out if node.host == host), None)
    return None if found is None else make_decision(host, Admission.SKIP, found.code, found.message)


def _not_selected(state: AdmissionState, host: str) -> AdmissionDecision | None:
    if host in state.selected:
        return None
    return make_decision(host, Admission.SKIP, Code.NOT_SELECTED, "the node is not part of this campaign")


def _already_ours(state: AdmissionState, host: str) -> AdmissionDecision | None:
    if host not in state.own or state.leases[host].mark is not None:
        return None
    return make_decision(
        host, Admission.ADMIT, Code.ADMITTED, "the node is out under this run's lease already"
    )


def _needless(state: AdmissionState, host: str) -> AdmissionDecision | None:
    """Pass over a node that the cloud does not know, or that is upgraded already."""
    bar = state.bars.get(host)
    return _decide_barred(bar) if bar is not None and bar.code in _IN_A_DRY_RUN_AS_WELL else None


def _altered(state: AdmissionState, host: str) -> AdmissionDecision | None:
    """Leave a node alone whose lease has this run's token, but words that it did not write."""
    if host not in state.altered:
        return None
    message = (
        f"its lease is this run's, but not as this run wrote it: {state.nodes[host].disabled_reason!r}: "
        "somebody changed it, or the ledger is not the one it was written from "
        f"-> look at the node, then `escalator leases` says what can be done"
    )
    return make_decision(host, Admission.HOLD, Code.LEASE_LOST, message)


def _disputed(state: AdmissionState, host: str) -> AdmissionDecision | None:
    """Let no node go while one is under way that somebody took: its servers may still be on their way.

    Of several such nodes that are to go again, the first waits for none: they do not wait for one another.
    """
    others = state.taken - {host}
    taken = sorted(other for other in others if host not in state.taken or other < host)
    if not taken:
        return None
    message = (
        f"{', '.join(taken)} is not as this run left it: its steps have to say first what became of it "
        f"-> if none of them goes on, clear {taken[0]}.admit with downstream"
    )
    return make_decision(host, Admission.WAIT, Code.LEASE_LOST, message)


def _barred(state: AdmissionState, host: str) -> AdmissionDecision | None:
    """Keep a node in that is not this campaign's to touch now."""
    bar = state.bars.get(host)
    return _decide_barred(bar) if bar is not None else None


def _decide_barred(bar: Bar) -> AdmissionDecision:
    """Wait where time may mend it; leave alone what somebody else wants so; hold the rest."""
    if bar.passing:
        admission = Admission.WAIT
    elif bar.code in _LEFT_ALONE:
        admission = Admission.SKIP
    else:
        admission = Admission.HOLD
    return make_decision(bar.host, admission, bar.code, bar.sentence)


def _budget(state: AdmissionState, host: str) -> AdmissionDecision | None:
    failed = sorted(state.failed - {host})
    allowed = state.plan.failures_allowed
    if len(failed) <= allowed:
        return None
    message = f"{', '.join(failed)} failed, is held or was lost, and {allowed} may: no further node goes out"
    return make_decision(host, Admission.STOP, Code.FAILURE_BUDGET, message)


def _harmed(state: AdmissionState, host: str) -> AdmissionDecision | None:
    """Let no node go any more, whatever may fail, when a move of ours has put a server into ERROR.

    A controller that is not itself again would do the same to the servers of the next node.
    """
    harmed = sorted(state.harmed - {host})
    if not harmed:
        return None
    message = (
        f"a server of {', '.join(harmed)} went into ERROR while it was moved: no further node goes out "
        f"-> find out why, mend the server, then clear {harmed[0]}.admit with downstream"
    )
    return make_decision(host, Admission.STOP, Code.FAILURE_BUDGET, message)


def _interrupted(state: AdmissionState, host: str) -> AdmissionDecision | None:
    """Let no node go any more when a service was interrupted for too long, where that is wanted."""
    breaches = state.ledger.breaches
    if not breaches or state.plan.request.on_interruption is not OnInterruption.STOP:
        return None
    message = (
        f"{'; '.join(map(str, breaches))}: no further node goes out "
        "-> find out why, then start a new run: upgraded nodes are skipped"
    )
    return make_decision(host, Admission.STOP, breaches[0].code, message)


def _window(state: AdmissionState, host: str) -> AdmissionDecision | None:
    """Stop at the end of the window, and before it when the node may not be done by then."""
    end = state.plan.window_end
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


def _warned(state: AdmissionState, host: str) -> AdmissionDecision | None:
    """Let no node go that one who watches the cloud speaks against; time, or a person, mends it."""
    sign = find_sign(state.signs, host)
    return None if sign is None else make_decision(host, Admission.WAIT, sign.code, sign.message)


def _soaking(state: AdmissionState, host: str) -> AdmissionDecision | None:
    """Let no node go until those given back have served for a while; none any more when one does not."""
    soak = timedelta(seconds=state.plan.request.soak_seconds)
    until = {
        n.host: n.since + soak
        for n in state.ledger.nodes
        if n.state is NodeState.RELEASED and n.since is not None and n.host != host
    }
    young = {other: end for other, end in until.items() if state.now < end}
    if not young:
        return None
    gone = sorted(other for other in young if not state.serves(other))
    if gone:
        message = (
            f"{', '.join(gone)} was given back and is not in service any more: no further node goes out "
            "-> find out why, then start a new run: upgraded nodes are skipped"
        )
        return make_decision(host, Admission.STOP, Code.SOAK_FAILED, message)
    last = max(young, key=lambda other: (young[other], other))
    message = f"{last} was given back and has to serve until {young[last].isoformat(timespec='seconds')}"
    return make_decision(host, Admission.WAIT, Code.SOAKING, message)


def _unapproved(state: AdmissionState, host: str) -> AdmissionDecision | None:
    """Wait for the person who has to say that the campaign goes on; stop when it does not."""
    for other, answer in sorted(state.ledger.approvals.items()):
        if not answer.go_on:
            who = f"{answer.by} said so" if answer.by else "nobody answered in time"
            message = f"no further node goes out after {other}: {who} at {answer.at.isoformat()}"
            return make_decision(host, Admission.STOP, Code.APPROVAL_REFUSED, message)
    unapproved = find_unapproved(state.plan, state.ledger, but=host)
    if not unapproved:
        return None
    message = (
        f"a person has to say that the campaign goes on after {', '.join(unapproved)} "
        f"-> see the required actions of the run; where it has none, clear {unapproved[0]}.release: it asks"
    )
    return make_decision(host, Admission.WAIT, Code.APPROVAL, message)


def _one_way(state: AdmissionState, host: str) -> AdmissionDecision | None:
    """Wait for the person who has to say that nodes go out which cannot go back; stop when they may not."""
    plan, ledger = state.plan, state.ledger
    reason = find_crossing(plan, ledger, host) if plan.request.ask_before_one_way else ""
    if not reason:
        return None
    if ledger.crossing is not None:
        if ledger.crossing.go_on:
            return None
        who = f"{ledger.crossing.by} said so" if ledger.crossing.by else "nobody answered in time"
        message = f"it does not go out one-way: {who} at {ledger.crossing.at.isoformat()} ({reason})"
        return make_decision(host, Admission.STOP, Code.APPROVAL_REFUSED, message)
    asked = find_asked(ledger, but=host)
    if not asked:
        return None
    message = (
        f"a person has to say before {', '.join(asked)} that nodes go out which cannot go back "
        f"-> see the required actions of the run; where it has none, clear {asked[0]}.admit with downstream"
    )
    return make_decision(host, Admission.WAIT, Code.APPROVAL, message)


def _ordered(state: AdmissionState, host: str) -> AdmissionDecision | None:
    """Keep a node in for the rest of the run where a person ordered so."""
    return decide_by_bar(state.ledger.orders, host)


def _paused(state: AdmissionState, host: str) -> AdmissionDecision | None:
    """Let no node go while a person has paused the campaign; its window goes on to close."""
    return decide_by_pause(state.ledger.orders, host)


EARLY_RULES: tuple[Rule, ...] = (_left_out, _not_selected, _already_ours, _needless)
"""What holds in a dry run as well."""
RULES: tuple[Rule, ...] = (
    _altered,
    _ordered,
    _barred,
    _harmed,
    _budget,
    _interrupted,
    _disputed,
    _window,
    _paused,
    _soaking,
    _unapproved,
    _warned,
    _one_way,
)


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
