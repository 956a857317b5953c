"""Admit: ask once more whether the node may go, and take the lease.

A second run finds its own lease and succeeds without writing.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from escalator.model.campaign import NodeState
from escalator.model.cloud import CloudSnapshot, ComputeService, ServiceStatus
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.errors import LoginRefusedError, NodeFaultError
from escalator.model.lease import Lease, LeasePhase
from escalator.model.verdict import Code
from escalator.steps.running.context import CampaignContext, StepContext
from escalator.steps.running.login_patience import bear_refusal, forget_refusal
from escalator.steps.running.node_versions import list_others, read_version
from escalator.steps.running.ordered import claim_node, forget_claim, note_effect
from escalator.steps.stopping.stop_book import take_over_stops
from escalator.steps.watching.signs import find_stop_signs
from escalator.steps.watching.telling import begin_watching, take_back, take_back_unless_out
from escalator.upgrade_manager.schedule.admission import check_lease_kept, decide_admissions
from escalator.upgrade_manager.schedule.admission_rules import find_remnants, make_decision
from escalator.upgrade_manager.schedule.planning import revalidate_plan
from escalator.upgrade_manager.state.domains import find_neighbours

log = logging.getLogger("escalator.steps.admit")


def decide_now(
    campaign: CampaignContext,
    *,
    asking: Collection[str],
    afresh: Sequence[str] = (),
    watched_within: float | None = None,
) -> tuple[CloudSnapshot, dict[str, AdmissionDecision]]:
    """Read the cloud and the ledger and decide about every node of the campaign.

    When the cloud is not the one that was planned for, its nodes are put in order anew. Those that watch the
    cloud are asked only when a node may go otherwise.

    :param asking: hosts for which somebody waits at the door now; the others take no turn.
    :param afresh: hosts whose servers are listed by themselves.
    :param watched_within: a look of all who keep watch will do that is at most so many seconds old.
    """
    snapshot = campaign.fetch_snapshot(afresh=afresh, watched_within=watched_within)
    view = campaign.run.view()
    plan = revalidate_plan(campaign.plan, snapshot)
    if plan.hosts != campaign.plan.hosts:
        log.info("the cloud has changed since the plan was made; the order now: %s", ", ".join(plan.hosts))
    now = campaign.clock()
    decisions = decide_admissions(snapshot, plan, view, now, asking=asking)
    if any(host in asking and found.admission is Admission.ADMIT for host, found in decisions.items()):
        signs = find_stop_signs(campaign)
        if signs:
            decisions = decide_admissions(snapshot, plan, view, now, asking=asking, signs=signs)
    return snapshot, dict(decisions)


def admit(ctx: StepContext) -> AdmissionDecision:
    """Take the lease of a node that may go; undo it when the check after the write says so.

    :return: ADMIT when the lease is held, else why not (WAIT: ask again later).
    """
    snapshot, decisions = decide_now(ctx.campaign, asking=(ctx.host,), afresh=(ctx.host,))
    decision = find_decision_for(ctx.host, decisions)
    if decision.admission is not Admission.ADMIT:
        take_back_unless_out(ctx, snapshot)
        return _recorded(ctx, _shout_when_unproved(ctx, decision))
    service = ctx.cloud.fetch_service(ctx.host)
    found = service.lease if ctx.holds(service) else _take_over(ctx, service)
    if found is None:
        skip = _upgraded_meanwhile(ctx)
        if skip is not None:
            take_back_unless_out(ctx, snapshot)
            return _recorded(ctx, _shout_when_unproved(ctx, skip))
    if found is None or found.mark is not None:
        sign = begin_watching(ctx, snapshot)
        if sign is not None:
            return _recorded(ctx, make_decision(ctx.host, Admission.WAIT, sign.code, sign.message))
        ordered = claim_node(ctx)
        if ordered is not None:
            take_back_unless_out(ctx, snapshot)
            return _recorded(ctx, _shout_when_unproved(ctx, ordered))
        now = ctx.now()
        ctx.remember(leased_at=now)
        ctx.write_lease(_make_lease(ctx, found, now))
    return _recorded(ctx, _check_after_write(ctx, snapshot, found))


def _take_over(ctx: StepContext, service: ComputeService) -> Lease | None:
    """Make the lease that the run that is taken back left on the node this run's; None: it left none.

    The node is brought back and proved like any other, whatever it runs: nobody else would enable it. The
    servers that it stopped and could not start again are this run's to start.
    """
    if service.status is not ServiceStatus.DISABLED or not ctx.plan.takes_over(service):
        return None
    take_over_stops(ctx)
    if service.disabled_reason is not None:
        ctx.remember(leases=(*ctx.facts.leases, service.disabled_reason))
    return service.lease


def _make_lease(ctx: StepContext, found: Lease | None, now: datetime) -> Lease:
    """Make the lease to take. A marked one that is taken up again still says that software was touched."""
    lease = replace(ctx.plan.lease(ctx.host), since=now)
    touched = found is not None and found.phase is not None and found.phase.software_touched
    return lease.at(LeasePhase.UPGRADING) if touched else lease


def find_decision_for(host: str, decisions: Mapping[str, AdmissionDecision]) -> AdmissionDecision:
    """Return the decision about a host; one that nobody asked for is skipped."""
    unasked = AdmissionDecision(
        host=host,
        admission=Admission.SKIP,
        code=Code.NOT_SELECTED,
        message=f"{host} is not part of this campaign",
    )
    return decisions.get(host, unasked)


def _upgraded_meanwhile(ctx: StepContext) -> AdmissionDecision | None:
    """Look on the node itself: another run may have upgraded it since this one began."""
    try:
        has = read_version(ctx.campaign, ctx.host)
    except NodeFaultError as exc:
        passing = isinstance(exc, LoginRefusedError) and bear_refusal(ctx, exc)
        return AdmissionDecision(
            host=ctx.host,
            admission=Admission.WAIT if passing else Admission.HOLD,
            code=exc.code or Code.NODE_UNREACHABLE,
            message=str(exc),
        )
    forget_refusal(ctx)
    ctx.remember(version=has.version, behind=has.behind)
    if ctx.facts.from_version is None:
        others = list_others(ctx.campaign.bundle, has.brought)
        ctx.remember(from_version=has.version, from_components=others)
    if not has.is_at(ctx.plan.target_version):
        return None
    return AdmissionDecision(
        host=ctx.host,
        admission=Admission.SKIP,
        code=Code.ALREADY_UPGRADED,
        message=f"{ctx.host} already runs {has.version}",
    )


def _shout_when_unproved(ctx: StepContext, decision: AdmissionDecision) -> AdmissionDecision:
    """Pass over no node that this run upgraded and that somebody took before it was verified: hold it."""
    facts = ctx.facts
    if decision.admission is not Admission.SKIP or facts.upgrade_begun is None or facts.verified is not None:
        return decision
    message = f"{decision.message}; this run upgraded it AND NEVER VERIFIED IT: look at it now"
    return replace(decision, admission=Admission.HOLD, code=Code.LEASE_LOST, message=message)


def _check_after_write(ctx: StepContext, snapshot: CloudSnapshot, found: Lease | None) -> AdmissionDecision:
    """Read all leases back; if more are out than allowed, put back what was found: enabled, or our mark.

    :param snapshot: the cloud before the write: its HA groups are looked at beside the leases.
    """
    around = [node.host for node in find_neighbours(snapshot, ctx.host)]
    services = ctx.cloud.fetch_services()
    lost = find_remnants(ctx.plan, ctx.run.view(), services) - {ctx.host}
    decision = check_lease_kept(
        services, around, ctx.plan, ctx.host, snapshot=snapshot, now=ctx.now(), lost=lost
    )
    if decision.admission is not Admission.ADMIT:
        ctx.ensure_current()
        if found is not None and found.mark is not None:
            ctx.write_lease(found)
        elif not ctx.facts.touched and (found is None or found.phase is LeasePhase.ADMITTED):
            log.warning("%s: lease given back: %s", ctx.host, decision.message)
            ctx.cloud.ensure_enabled(ctx.host, over=ctx.facts.leases)
            take_back(ctx)
    return decision


def _recorded(ctx: StepContext, decision: AdmissionDecision) -> AdmissionDecision:
    state = {
        Admission.ADMIT: NodeState.ADMITTED,
        Admission.HOLD: NodeState.HELD,
        Admission.SKIP: NodeState.SKIPPED,
    }.get(decision.admission, NodeState.WAITING)
    if decision.admission is not Admission.ADMIT:
        forget_claim(ctx)
    ctx.progress(state, decision.code, decision.message)
    note_effect(ctx, decision.code)
    return decision
