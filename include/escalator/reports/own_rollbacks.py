"""The rollbacks that a campaign started by itself, in its report: which runs, for which nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from escalator.model.verdict import Severity, SubjectType
from escalator.reports.facts import CampaignFacts


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


def find_own_rollbacks(facts: CampaignFacts, *, started: str, not_started: str) -> Iterator[dict[str, Any]]:
    """Say which rollbacks were started, and which were not: their nodes stay as they are.

    :param started: code of a finding; :param not_started: likewise.
    """
    for each in facts.own_rollbacks:
        why, _, remedy = each.not_started.partition(" -> ")
        said = f"{each.policy}: the rollback {each} "
        yield {
            "severity": Severity.INFO if each.is_started else Severity.BLOCKER,
            "code": str(started if each.is_started else not_started),
            "subject": {"type": str(SubjectType.CAMPAIGN), "id": facts.plan.campaign, "name": None},
            "message": said + (f"is not started: {why}" if why else "is started by itself"),
            "remedy": remedy or None,
        }
