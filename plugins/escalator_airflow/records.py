"""What is recorded of a campaign: plan, bundle, progress, moves. Nothing but the ledger is opened."""

from __future__ import annotations

from dataclasses import replace

from escalator.documents.bundles import parse_bundle
from escalator.leases.known import find_known_leases
from escalator.ledger.campaign_record import CampaignRecord
from escalator.ledger.ledger import Ledger
from escalator.ledger.records import Document
from escalator.model.bundle import Bundle
from escalator.model.campaign import CampaignPlan
from escalator.model.cloud import CloudSnapshot
from escalator.model.errors import InvalidRequestError
from escalator.model.known_lease import KnownLease
from escalator.model.run_life import FindLife


def read_campaign(dag_id: str, run_id: str) -> CampaignRecord:
    """Read the campaign of a run, as check_conditions wrote it into the ledger; nothing else is opened.

    :raises InvalidRequestError: there is none.
    """
    run = Ledger().run(dag_id, run_id)
    plan = run.plan()
    if plan is None:
        raise InvalidRequestError(
            f"no campaign of {dag_id}, run {run_id}, is in the ledger",
            remedy="see that ESCALATOR_LEDGER_URL is the same everywhere, then clear check_conditions",
        )
    return CampaignRecord(plan=plan, bundle=parse_bundle(run.document(Document.BUNDLE)), run=run)


def draft_campaign(plan: CampaignPlan, bundle: Bundle) -> CampaignRecord:
    """Make the record of a campaign that is asked for: nothing of it is in the ledger yet."""
    ledger = Ledger()
    ours = replace(plan, installation=ledger.installation())
    return CampaignRecord(plan=ours, bundle=bundle, run=ledger.run(plan.campaign, plan.run_id))


def find_leases(find_life: FindLife, snapshot: CloudSnapshot) -> tuple[KnownLease, ...]:
    """Say whose the leases of a cloud are, by the ledger and by what Airflow says of the runs."""
    return find_known_leases(snapshot.nodes, Ledger(), find_life)
