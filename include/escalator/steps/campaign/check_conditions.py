"""Check conditions: say what is in the way of an upgrade, or open the campaign; the cloud is only read."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from escalator.checks.render import list_lines
from escalator.cloud_manager.snapshots import snapshot_to_document
from escalator.ledger.records import Document
from escalator.model.campaign import CampaignPlan
from escalator.model.check_report import CheckReport, check_to_document
from escalator.model.cloud import CloudSnapshot
from escalator.model.errors import PlanInfeasibleError
from escalator.model.procedure import find_procedure
from escalator.model.verdict import Code, Verdict
from escalator.plans.plan import MadePlan, make_options, make_plan
from escalator.plans.render import list_plan_lines
from escalator.steps.running.context import CampaignContext
from escalator.steps.running.node_versions import read_versions
from escalator.upgrade_manager.conditions.leases import check_orphans
from escalator.upgrade_manager.conditions.question import ask
from escalator.upgrade_manager.conditions.rollback import check_rollback
from escalator.upgrade_manager.conditions.upgrade import check_upgrade
from escalator.upgrade_manager.drain.durations import learn
from escalator.upgrade_manager.schedule.planning import plan_campaign
from escalator.upgrade_manager.state.capacity import CapacityBook

log = logging.getLogger("escalator.steps.campaign.check_conditions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a look at the cloud and its nodes found out about a plan.

    :ivar plan: the plan that was judged, with what was learnt of durations.
    :ivar versions: what the nodes that answered run.
    """

    plan: CampaignPlan
    snapshot: CloudSnapshot
    versions: Mapping[str, str]
    report: CheckReport


def judge(campaign: CampaignContext, hosts: Sequence[str], *, rollback: bool = False) -> Judgement:
    """Read the cloud and the nodes, and check every condition of their upgrade. Writes nothing.

    :param campaign: its plan names the request.
    :param hosts: nodes to upgrade.
    :param rollback: check the way back instead.
    """
    bundle, request = campaign.bundle, campaign.plan.request
    history = campaign.run.history(cloud=request.cloud, bundle=request.bundle)
    plan = replace(
        campaign.plan,
        hosts=tuple(hosts),
        members_stay=bundle.members_stay,
        expected=learn(history, bundle),
    )
    versions, reachable = read_versions(campaign, plan.hosts)
    snapshot = campaign.fetch_snapshot(targets=plan.hosts, versions=versions, with_agents=True)
    question = ask(plan, snapshot, bundle=bundle, reachable=reachable)
    report = check_rollback(question) if rollback else check_upgrade(question)
    orphans = tuple(check_orphans(campaign.find_leases(snapshot)))
    report = replace(report, conditions=(*report.conditions, *orphans))
    return Judgement(plan=plan, snapshot=snapshot, versions=versions, report=report)


def log_report(report: CheckReport) -> None:
    """Say every condition in the log: an error is in the way, a warning is not."""
    for line in list_lines(report):
        word = line.partition(" ")[0]
        level = {"blocker": logging.ERROR, "warning": logging.WARNING}.get(word, logging.INFO)
        log.log(level, "%s", line)


def refuse_unmet(report: CheckReport, *, what: str) -> None:
    """Refuse what a condition is in the way of.

    :raises PlanInfeasibleError: carries every condition that blocks.
    """
    blocking = tuple(c.verdict for c in report.unmet if c.blocks)
    if blocking:
        raise PlanInfeasibleError(f"{what}: {'; '.join(map(str, blocking))}", blockers=blocking)


def check(
    campaign: CampaignContext, bundle_document: Mapping[str, object], *, known_hosts: Sequence[str]
) -> tuple[CampaignPlan, CheckReport]:
    """Judge the request, and open the campaign in the ledger.

    :param known_hosts: nodes that the campaign may touch: those its DAG has a group for.
    :param campaign: its plan names the request only; the plan that is returned has the nodes in order.
    :raises InvalidRequestError: the plan's procedure is not known; nothing was written.
    :raises PlanInfeasibleError: the request cannot be carried out; carries every reason; nothing was written.
    """
    find_procedure(campaign.plan.procedure)
    judged = judge(campaign, campaign.plan.request.hosts or tuple(known_hosts))
    log_report(judged.report)
    refuse_unmet(judged.report, what="the campaign cannot start")
    _refuse_to_stop(judged)
    planned = plan_campaign(
        campaign.plan.request,
        campaign=campaign.plan.campaign,
        run_id=campaign.plan.run_id,
        snapshot=judged.snapshot,
        bundle=campaign.bundle,
        hosts=known_hosts,
        window_end=campaign.plan.window_end,
        installation=campaign.plan.installation,
    )
    plan = replace(planned, procedure=campaign.plan.procedure, expected=judged.plan.expected)
    made = _make_plan(plan, judged.snapshot)
    for line in list_plan_lines(made.document):
        log.info("%s", line)
    plan = replace(plan, hosts=tuple(dict.fromkeys((*made.hosts, *plan.hosts))))  # as shown, so kept
    recorded = _open(campaign, plan, judged, bundle_document=bundle_document, plan_document=made.document)
    return recorded, judged.report


def _refuse_to_stop(judged: Judgement) -> None:
    """Refuse a campaign that would have to stop servers: its steps move them, or let them stay.

    :raises PlanInfeasibleError: names every such server.
    """
    book = CapacityBook(judged.snapshot, members_stay=judged.plan.members_stay)
    pinned = [
        Verdict(
            code=Code.SERVER_PINNED,
            message=f"it cannot be moved off {server.host}, and the steps of a campaign stop no server",
            subject=server.subject,
            remedy="take it off the node by hand, or leave the node out",
        )
        for host in judged.plan.hosts
        for server in book.servers(host)
        if server.migration == "none" and not server.on_no_node and not book.stays(server)
    ]
    if pinned:
        words = "; ".join(map(str, pinned))
        raise PlanInfeasibleError(f"the campaign cannot start: {words}", blockers=tuple(pinned))


def _make_plan(plan: CampaignPlan, snapshot: CloudSnapshot) -> MadePlan:
    """Say what the campaign is expected to do, with the reason of each node's turn."""
    request = plan.request
    options = make_options(
        plan.expected,
        max_parallel=request.max_parallel,
        members_stay=plan.members_stay,
        mode=request.mode,
    )
    return make_plan(snapshot, replace(options, spill=request.spill), bundle=request.bundle)


def _open(
    campaign: CampaignContext,
    plan: CampaignPlan,
    judged: Judgement,
    *,
    bundle_document: Mapping[str, object],
    plan_document: Mapping[str, Any],
) -> CampaignPlan:
    """Record the campaign; a second run keeps the plan and the versions that the first one recorded.

    :return: the plan that is recorded.
    """
    run = campaign.run
    recorded = run.open(
        plan,
        dag_id=plan.campaign,
        bundle_document=dict(bundle_document),
        snapshot_before=snapshot_to_document(judged.snapshot),
        now=campaign.clock(),
    )
    run.set_document(Document.CHECK, check_to_document(judged.report))
    if run.document(Document.PLAN) is None:
        run.set_document(Document.PLAN, plan_document)
    known = run.versions_before()
    for host, version in judged.versions.items():
        run.remember(host, version=version)
        if host not in known:
            run.remember(host, from_version=version)
    return recorded
