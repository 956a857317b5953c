"""Save what a campaign may change of the cloud, once a run, before it is opened; the cloud is only read."""

from __future__ import annotations

import logging

from escalator.cloud_manager.snapshots import list_documents
from escalator.model.cloud import CloudSnapshot
from escalator.steps.running.context import CampaignContext
from escalator.steps.saving.dump import run_dump
from escalator.system_support.backup.contents import needs_backup

log = logging.getLogger("escalator.steps.saving.cloud_backup")


def save_cloud(campaign: CampaignContext, snapshot: CloudSnapshot, hosts: tuple[str, ...]) -> None:
    """Keep services, aggregates, quotas, and what Placement has of each node; a second run finds it.

    The databases are dumped with it, where the operator says how.
    Two calls, and one for each project with servers on the nodes.

    :param snapshot: the cloud at the start: it has inventories and traits.
    :param hosts: the nodes of the campaign.
    :raises TransientError: cloud or store do not answer; another attempt may mend it.
    :raises EscalatorError: the store cannot keep it.
    """
    desk, plan = campaign.backups, campaign.plan
    if desk is None or plan.request.dry_run or not needs_backup(campaign.bundle):
        return
    of = desk.name(plan, campaign.bundle.name)
    if desk.book.find(of.id) is not None:
        return
    leaving = frozenset(hosts)
    projects = {server.project_id for server in snapshot.servers if server.host in leaving}
    state = campaign.cloud.fetch_kept_state(projects - {""})
    content = {
        **state,
        "nodes": list_documents(snapshot, "nodes"),
        "dump": run_dump(campaign.inventory, of.id),
    }
    taken = desk.keeper.save_cloud(of, content)
    desk.book.record(taken)
    log.info("services, aggregates, quotas and inventories saved as %s, read back", taken.id)
