"""Check canaries: whether those that will prove the nodes could start, while no node is out yet."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from escalator.model.check_report import Condition
from escalator.model.cloud import CloudSnapshot
from escalator.model.verdict import Code, Severity, Subject
from escalator.steps.running.context import CampaignContext
from escalator.upgrade_manager.conditions.question import met, unmet


def check_canaries(
    campaign: CampaignContext, hosts: Collection[str], snapshot: CloudSnapshot
) -> Iterator[Condition]:
    """Look at flavor, image, network and quota of canaries; after the upgrade of a node it would be too late.

    :param hosts: nodes that are to be upgraded.
    """
    nodes = [node for node in snapshot.nodes if node.host in hosts]
    if not nodes:
        return
    subject = Subject.of_cloud(snapshot.cloud)
    wish = campaign.canary
    if wish.off:
        message = "canaries are off: a node is given back without a server having run on it"
        remedy = "name a flavor, an image and a network for them"
        yield unmet(Code.CANARY_UNREADY, subject, message, remedy, Severity.INFO)
        return
    at_once = min(campaign.plan.request.max_parallel, len(nodes))
    faults = campaign.cloud.fetch_canary_faults(nodes, wish, at_once=at_once)
    for fault in faults:
        severity = Severity.BLOCKER if fault.sure else Severity.WARNING
        remedy = f"{fault.remedy}; or switch canaries off (canary: off)"
        yield unmet(Code.CANARY_UNREADY, subject, fault.message, remedy, severity)
    if not faults:
        message = f"canaries have a flavor, an image and the quota for {at_once} at once"
        yield met(Code.CANARY_UNREADY, subject, message)
