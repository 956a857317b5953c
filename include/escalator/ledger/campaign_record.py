"""A campaign as it is recorded: read from the ledger alone, without its cloud and its nodes."""

from __future__ import annotations

from dataclasses import dataclass

from escalator.ledger.run import CampaignRun
from escalator.model.bundle import Bundle
from escalator.model.campaign import CampaignPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRecord:
    """What a campaign is to do, and the run that tells what it has done.

    :ivar plan: as the run was opened with; before that, as it is asked for.
    """

    plan: CampaignPlan
    bundle: Bundle
    run: CampaignRun
