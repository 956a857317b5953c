"""What was saved before nodes were changed, in a report: where each backup is, and what it must read as."""

from __future__ import annotations

from typing import Any

from escalator.reports.facts import CampaignFacts
from escalator.reports.nodes import format_time


def describe_backups(facts: CampaignFacts) -> list[dict[str, Any]]:
    """Describe each backup of the campaign, that of the cloud first, then by node."""
    return [
        {
            "id": backup.id,
            "kind": str(backup.kind),
            "host": backup.host or None,
            "taken": format_time(backup.taken_at),
            "size_bytes": backup.size_bytes,
            "sha256": backup.sha256 or backup.manifest_sha256,
            "url": backup.url,
            "verified": format_time(backup.verified_at),
        }
        for backup in sorted(facts.backups, key=lambda backup: (backup.host, backup.id))
    ]
