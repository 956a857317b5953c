"""Whether nodes can be saved before they are changed, said before the start."""

from __future__ import annotations

from escalator.backups.condition import check_store
from escalator.model.check_report import Condition
from escalator.steps.running.context import CampaignContext
from escalator.system_support.backup.contents import needs_backup


def check_backups(campaign: CampaignContext) -> tuple[Condition, ...]:
    """Try the store of backups; nothing is said of a bundle that changes nothing on a node."""
    if not needs_backup(campaign.bundle):
        return ()
    dumps = campaign.inventory.dump is not None
    return (check_store(campaign.plan.request.cloud, campaign.backups, dumps=dumps),)
