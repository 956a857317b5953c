"""Check conditions: say what is in the way of an upgrade, or open the campaign; the cloud is only read."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from escalator.checks.render import list_lines
from escalator.cloud_manager.snapshots import snapshot_to_document
from escalator.ledger.records import Document
from escalator.model.bundle import Bundle
from escalator.model.campaign import CampaignPlan, OnBlocked
from escalator.model.check_report import CheckReport, Condition, check_to_document
from escalator.model.cloud import CloudSnapshot
from escalator.model.errors import PlanInfeasibleError
from escalator.model.interruption import YEAR, sum_gaps
from escalator.model.no_return import NoReturn
from escalator.model.node_software import Software
from escalator.model.procedure import find_procedure
from escalator.model.way_back import WayBack
from escalator.plans.plan import MadePlan, make_plan
from escalator.plans.render import list_plan_lines
from escalator.simulator.options import make_options
from escalator.steps.campaign.check_backups import check_backups
from escalator.steps.campaign.check_canaries import check_canaries
from escalator.steps.campaign.check_nova_settings import check_nova_settings
from escalator.steps.campaign.check_outlook import check_outlook
from escalator.steps.campaign.check_reboots import check_reboots
from escalator.steps.campaign.check_watchers import check_watchers
from escalator.steps.campaign.check_ways_back import check_ways_back
from escalator.steps.campaign.controller import check_controller
from escalator.steps.running.context import CampaignContext
from escalator.steps.running.node_versions import NodesRead, list_others, read_versions
from escalator.steps.saving.cloud_backup import save_cloud
from escalator.steps.watching.signs import record_baseline
from escalator.upgrade_manager.conditions.leases import check_orphans
from escalator.upgrade_manager.conditions.leaving_out import (
    Look,
    Remainder,
    leave_blocked_out,
    leave_nodes_out,
)
from escalator.upgrade_manager.conditions.no_return import find_no_return
from escalator.upgrade_manager.conditions.question import Question, ask
from escalator.upgrade_manager.conditions.upgrade import check_upgrade
from escalator.upgrade_manager.drain.durations import learn
from escalator.upgrade_manager.feasibility.alternatives import leave_servers_out
from escalator.upgrade_manager.schedule.planning import plan_campaign
from escalator.upgrade_manager.state.drift import add_software
from escalator.upgrade_manager.state.failed_nodes import choose_policy
from escalator.upgrade_manager.state.hypervisors import find_brought_version

log = logging.getLogger("escalator.steps.campaign.check_conditions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a look at the cloud and its nodes found out about a plan.

    :ivar plan: the plan that was judged, without the nodes that are left out and with what was learnt of
        durations.
    :ivar hoped: the cloud as it would be when the managers of VNFs scale in as they will be asked to.
    :ivar versions: what the nodes that answered run; :ivar behind: other components that are not at their
        target, of those nodes that have some; :ivar software: all that they tell of their components.
    """

    plan: CampaignPlan
    snapshot: CloudSnapshot
    hoped: CloudSnapshot
    versions: Mapping[str, str]
    behind: Mapping[str, tuple[str, ...]]
    software: Mapping[str, Software]
    report: CheckReport
    no_return: NoReturn


def judge(campaign: CampaignContext, hosts: Sequence[str], *, look: Look = check_upgrade) -> Judgement:
    """Read the cloud and the nodes, and check every condition of their upgrade. Writes nothing.

    :param campaign: its plan names the request, which says whether blocked nodes are left out.
    :param hosts: nodes to upgrade.
    :param look: finds the conditions: those of an upgrade, or those of the way back.
    """
    bundle, request = campaign.bundle, campaign.plan.request
    history = campaign.run.history(cloud=request.cloud, bundle=request.bundle)
    plan = replace(
        campaign.plan,
        hosts=tuple(hosts),
        members_stay=bundle.members_stay,
        expected=learn(history, bundle),
    )
    read = read_versions(campaign, plan.hosts)
    look_now = campaign.fetch_snapshot(
        targets=plan.hosts, versions=read.versions, behind=read.behind, for_check=True
    )
    snapshot = add_software(look_now, read.software)
    question = ask(
        plan,
        snapshot,
        bundle=bundle,
        reachable=read.faults,
        lacking=read.lacking,
        scalable=campaign.vnfms.list_scalable(snapshot, plan.hosts),
        manager_of=_find_managers(campaign, snapshot, plan.hosts),
        interrupted=_find_interruptions(campaign),
    )
    look = partial(_look_at_ways, look, read.ways_back)
    if request.on_blocked is OnBlocked.SKIP:
        found = leave_blocked_out(question, look)
    else:
        found = Remainder(question=question, report=look(question))
    rest = leave_nodes_out(snapshot, found.left_out)
    asked = found.question
    return Judgement(
        plan=replace(asked.plan, left_out=found.left_out),
        no_return=find_no_return(found.report, asked.pending, asked.sequence.order),
        snapshot=rest,
        hoped=leave_servers_out(rest, [s for servers in found.question.scale_in.values() for s in servers]),
        versions=read.versions,
        behind=read.behind,
        software=read.software,
        report=replace(
            found.report,
            conditions=(*found.report.conditions, *_look_besides(campaign, found, snapshot, read)),
        ),
    )


def _look_besides(
    campaign: CampaignContext, found: Remainder, snapshot: CloudSnapshot, read: NodesRead
) -> tuple[Condition, ...]:
    """Find what is no part of the pure check: leases, the control plane, canaries, what nodes said."""
    pending = found.question.pending
    return (
        *check_orphans(campaign.find_leases(snapshot)),
        *check_controller(campaign),
        *check_canaries(campaign, pending, snapshot),
        *check_watchers(campaign, pending, snapshot),
        *check_nova_settings(found.question, read.settings),
        *check_outlook(campaign.bundle, read.told),
        *check_reboots(campaign.bundle, pending, read.boots),
        *check_backups(campaign),
    )


def _look_at_ways(look: Look, ways: Mapping[str, WayBack], question: Question) -> CheckReport:
    """Find the conditions of a question, with what its nodes said of their ways back."""
    report, bundle = look(question), question.bundle
    if bundle is None:
        return report
    is_needed = choose_policy(question.plan.request, bundle).takes_back and question.plan.undoes is None
    said = check_ways_back(bundle, question.pending, ways, is_needed=is_needed)
    return replace(report, conditions=(*report.conditions, *said))


def _find_managers(
    campaign: CampaignContext, snapshot: CloudSnapshot, hosts: Sequence[str]
) -> dict[str, str]:
    """Return who manages the servers of some nodes: server id -> id of its manager."""
    cloud, known, wanted = snapshot.cloud, campaign.vnfms, frozenset(hosts)
    if not known.of_cloud(cloud):
        return {}
    servers = (server for server in snapshot.servers if server.host in wanted)
    return {s.id: vnfm.id for s in servers if (vnfm := known.manager_of(cloud, s)) is not None}


def _find_interruptions(campaign: CampaignContext) -> dict[str, float]:
    """Return the longest interruption of each HA group in the last year (s), as the ledger has it."""
    gaps = campaign.run.gaps().since(campaign.plan.request.cloud, campaign.clock() - YEAR)
    return {found.group: found.longest_seconds for found in sum_gaps(gaps) if found.count}


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
    judged = judge(campaign, campaign.plan.request.hosts or tuple(known_hosts), look=check_upgrade)
    log_report(judged.report)
    refuse_unmet(judged.report, what="the campaign cannot start")
    planned = plan_campaign(
        campaign.plan.request,
        campaign=campaign.plan.campaign,
        run_id=campaign.plan.run_id,
        snapshot=judged.hoped,
        bundle=campaign.bundle,
        hosts=known_hosts,
        window_end=campaign.plan.window_end,
        installation=campaign.plan.installation,
        left_out=judged.plan.left_out,
        undoes=campaign.plan.undoes,
    )
    plan = replace(
        planned,
        procedure=campaign.plan.procedure,
        expected=judged.plan.expected,
        no_return=judged.no_return if planned.undoes is None else NoReturn(),
        restores=campaign.plan.restores,
    )
    made = _make_plan(plan, judged.hoped, campaign.bundle)
    for line in list_plan_lines(made.document):
        log.info("%s", line)
    plan = replace(plan, hosts=tuple(dict.fromkeys((*made.hosts, *plan.hosts))))  # as shown, so kept
    save_cloud(campaign, judged.snapshot, plan.hosts)
    recorded = _open(campaign, plan, judged, bundle_document=bundle_document, plan_document=made.document)
    return recorded, judged.report


def _make_plan(plan: CampaignPlan, snapshot: CloudSnapshot, bundle: Bundle) -> MadePlan:
    """Say what the campaign is expected to do, with the reason of each node's turn."""
    request = plan.request
    options = make_options(
        plan.expected,
        max_parallel=request.max_parallel,
        members_stay=plan.members_stay,
        mode=request.mode,
    )
    return make_plan(
        snapshot,
        replace(
            options,
            spill=request.spill,
            move_standbys=request.move_standbys,
            soak_seconds=float(request.soak_seconds),
            in_turn=plan.hosts if plan.undoes is not None else (),
            mends=frozenset(node.host for node in snapshot.nodes if plan.may_mend(node)),
        ),
        bundle=request.bundle,
        components=bundle.components,
        left_out=plan.left_out,
        no_return=plan.no_return,
        ties_servers=find_brought_version(bundle) is not None,
    )


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
    record_baseline(campaign)
    run.set_document(Document.CHECK, check_to_document(judged.report))
    if run.document(Document.PLAN) is None:
        run.set_document(Document.PLAN, plan_document)
    known = run.versions_before()
    for host, version in judged.versions.items():
        run.remember(host, version=version, behind=judged.behind.get(host, ()))
        if host not in known:
            others = list_others(campaign.bundle, judged.software.get(host, {}))
            run.remember(host, from_version=version, from_components=others)
    return recorded
