"""Check conditions: refuse a request that is wrong or cannot be carried out, before anything is written."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from escalator.cloud_manager.snapshots import snapshot_to_document
from escalator.model.campaign import CampaignPlan
from escalator.model.errors import PlanInfeasibleError
from escalator.model.verdict import Verdict, blockers
from escalator.steps.context import CampaignContext
from escalator.steps.versions import read_versions
from escalator.upgrade_manager.conditions.check import check_conditions
from escalator.upgrade_manager.planning import plan_campaign

log = logging.getLogger("escalator.steps.check")


def check(
    campaign: CampaignContext, bundle_document: Mapping[str, object], *, known_hosts: Sequence[str]
) -> tuple[CampaignPlan, tuple[Verdict, ...]]:
    """Read the cloud and the nodes, judge the request, open the campaign in the ledger.

    :param known_hosts: nodes that the campaign may touch: those its DAG has a group for.
    :param campaign: its plan names the request only; the plan that is returned has the nodes in order.
    :raises PlanInfeasibleError: the request cannot be carried out; carries every reason; nothing was written.
    """
    request = campaign.plan.request
    hosts = request.hosts or tuple(known_hosts)
    versions, reachable = read_versions(campaign, hosts)
    snapshot = campaign.fetch_snapshot(targets=hosts, versions=versions)
    plan = plan_campaign(
        replace(request, hosts=hosts),
        campaign=campaign.plan.campaign,
        run_id=campaign.plan.run_id,
        snapshot=snapshot,
        bundle=campaign.bundle,
    )
    verdicts = check_conditions(plan, snapshot, reachable=reachable, bundle=campaign.bundle)
    for verdict in verdicts:
        log.log(logging.ERROR if verdict.blocks else logging.INFO, "%s", verdict)
    if blockers(verdicts):
        reasons = "; ".join(str(v) for v in blockers(verdicts))
        raise PlanInfeasibleError(f"the campaign cannot start: {reasons}", blockers=blockers(verdicts))
    campaign.ledger.open_campaign(
        plan,
        dag_id=plan.campaign,
        run_id=plan.run_id,
        bundle_document=dict(bundle_document),
        snapshot_before=snapshot_to_document(snapshot),
        now=campaign.clock(),
    )
    for host, version in versions.items():
        campaign.ledger.put_fact(plan.campaign, plan.run_id, host, "version", version)
        if campaign.ledger.fact(plan.campaign, plan.run_id, host, "from_version") is None:
            campaign.ledger.put_fact(plan.campaign, plan.run_id, host, "from_version", version)
    return plan, verdicts
