"""The rollbacks that a campaign started by itself, in its report: which runs, for which nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from escalator.model.verdict import Severity
from escalator.reports.facts import CampaignFacts
from escalator.reports.rows import Finding, Row, make_row_of_campaign


def describe_own_rollbacks(facts: CampaignFacts) -> list[dict[str, Any]]:
    """Describe each rollback, in the order in which they were started."""
    return [
        {
            "policy": str(each.policy),
            "campaign": each.campaign,
            "run_id": each.run_id,
            "hosts": list(each.hosts),
            "started": each.is_started,
            "reason": each.not_started or None,
        }
        for each in facts.own_rollbacks
    ]


def find_own_rollbacks(facts: CampaignFacts) -> Iterator[Row]:
    """Say which rollbacks were started, and which were not: their nodes stay as they are."""
    for each in facts.own_rollbacks:
        why, _, remedy = each.not_started.partition(" -> ")
        said = f"{each.policy}: the rollback {each} "
        yield make_row_of_campaign(
            facts,
            Severity.INFO if each.is_started else Severity.BLOCKER,
            Finding.ROLLBACK_STARTED if each.is_started else Finding.ROLLBACK_NOT_STARTED,
            said + (f"is not started: {why}" if why else "is started by itself"),
            remedy or None,
        )
