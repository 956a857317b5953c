"""From a lease in the cloud to the run of the ledger that took it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from escalator.ledger.tables import CampaignRow
from escalator.model.lease import name_run

RunKey = tuple[str, str]
"""The words of a lease that name its campaign and its run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRun:
    """A run that may have leases."""

    campaign: str
    run_id: str
    dag_id: str


def read_lease_runs(session: Session) -> Mapping[RunKey, LeaseRun]:
    """Read every run by the words that its leases name it with."""
    query = sa.select(CampaignRow.campaign, CampaignRow.run_id, CampaignRow.dag_id)
    return {
        name_run(campaign, run_id): LeaseRun(campaign=campaign, run_id=run_id, dag_id=dag_id)
        for campaign, run_id, dag_id in session.execute(query)
    }
