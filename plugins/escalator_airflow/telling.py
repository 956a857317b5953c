"""Who hears what happens in a campaign: the log and the file of events, metrics, people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from escalator.events.event import ESCALATOR
from escalator.events.lines import list_line_hearers
from escalator.events.teller import Teller
from escalator.ledger.ledger import Ledger
from escalator.model.campaign import CampaignPlan
from escalator.model.inventory import Inventory
from escalator_airflow.metrics import list_metric_hearers
from escalator_airflow.notes import list_notifiers


def make_teller(
    plan: CampaignPlan, inventory: Inventory, ledger: Ledger, *, started_by: str = ESCALATOR
) -> Teller:
    """Make what tells the events of a campaign's run."""
    run = ledger.run(plan.campaign, plan.run_id)
    hearers = (
        *list_line_hearers(),
        *list_metric_hearers(run.nodes),
        *list_notifiers(plan, inventory, ledger),
    )
    return Teller.of_plan(plan, hearers, started_by=started_by)


def find_starter(context: Mapping[str, Any]) -> str:
    """Return whose wish a run is: the name of the user who triggered it, else Escalator's own."""
    return str(getattr(context["dag_run"], "triggering_user_name", None) or ESCALATOR)
