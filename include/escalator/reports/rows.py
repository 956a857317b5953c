"""Rows of the findings of a report, and the codes that only findings have."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from escalator.model.verdict import Severity, SubjectType
from escalator.reports.facts import CampaignFacts

Row = dict[str, Any]


class Finding(StrEnum):
    """The closed list of what a report finds beside the codes of verdicts; documented in docs/codes.md."""

    SERVER_VANISHED = "server_vanished"
    SERVER_CHANGED_STATE = "server_changed_state"
    SERVER_ON_DISABLED_NODE = "server_on_disabled_node"
    SERVER_APPEARED = "server_appeared"
    NODE_VANISHED = "node_vanished"
    NODE_CHANGED_STATUS = "node_changed_status"
    NODE_UNFINISHED = "node_unfinished"
    SNAPSHOT_MISSING = "snapshot_missing"
    EVENTS_UNREADABLE = "events_unreadable"
    INTERRUPTION_LONG = "interruption_long"
    SERVICE_NOT_RESTORED = "service_not_restored"
    QUOTA_NOT_FROZEN = "quota_not_frozen"
    QUOTA_NOT_RESTORED = "quota_not_restored"
    FLAG_NOT_CLEARED = "flag_not_cleared"
    ORDERED = "ordered"
    NO_RETURN_SINCE = "no_return_since"
    ROLLBACK_STARTED = "rollback_started"
    ROLLBACK_NOT_STARTED = "rollback_not_started"


def make_row(
    severity: Severity,
    code: str,
    kind: SubjectType,
    subject: str,
    name: str | None = None,
    *,
    message: str,
    remedy: str | None = None,
) -> Row:
    """Make the row of a finding."""
    return {
        "severity": severity,
        "code": str(code),
        "subject": {"type": str(kind), "id": subject, "name": name},
        "message": message,
        "remedy": remedy,
    }


def make_row_of_campaign(
    facts: CampaignFacts, severity: Severity, code: Finding, message: str, remedy: str | None = None
) -> Row:
    """Make the row of a finding about the campaign itself."""
    return make_row(severity, code, SubjectType.CAMPAIGN, facts.plan.campaign, message=message, remedy=remedy)
