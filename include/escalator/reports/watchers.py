"""What those that watch the cloud were told, in a report: what was set, and what was cleared."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from escalator.model.campaign import NodeState
from escalator.model.cloud import ServiceStatus
from escalator.model.verdict import Severity, SubjectType
from escalator.reports.facts import CampaignFacts
from escalator.reports.nodes import format_time
from escalator.reports.rows import Finding, Row, make_row

FLAG, SILENCE = "on_maintenance", "silence"


def describe_told(facts: CampaignFacts) -> list[Row]:
    """Describe what was told of each node: one row for Masakari's flag, one for the silences."""
    rows = []
    for host, told in sorted(facts.told.items()):
        out = not _serves(facts, host)
        if told.maintenance is not None:
            stays = "stays, as the node does not serve" if out else "is still set"
            rows.append(_row(host, FLAG, told.maintenance.set_at, told.maintenance.cleared_at, stays))
        if told.silencing is not None:
            runs_out = f"runs out at {format_time(told.silencing.ends_at)}"
            rows.append(_row(host, SILENCE, told.silencing.set_at, told.silencing.ended_at, runs_out))
    return rows


def find_flags_left(facts: CampaignFacts) -> Iterator[Row]:
    """Find the nodes that are back with their flag still set: Masakari would not recover their servers."""
    for host, told in sorted(facts.told.items()):
        flag = told.maintenance
        if flag is None or flag.cleared_at is not None or not _serves(facts, host):
            continue
        yield make_row(
            Severity.WARNING,
            Finding.FLAG_NOT_CLEARED,
            SubjectType.NODE,
            host,
            host,
            message="is in service, and on maintenance in Masakari still: its servers are not recovered",
            remedy=f"clear {host}.release; or `openstack segment host update --on_maintenance False "
            f"{flag.segment_id} {flag.host_id}`",
        )


def _serves(facts: CampaignFacts, host: str) -> bool:
    """Tell whether a node is in service: upgraded, given back as it was, or never out, its admit cut off."""
    state, cloud = facts.view.of(host).state, facts.after
    node = cloud.node(host) if cloud is not None and state is not NodeState.FAILED else None
    return state is NodeState.RELEASED or (node is not None and node.status is ServiceStatus.ENABLED)


def _row(host: str, what: str, set_at: datetime, cleared_at: datetime | None, else_: str) -> Row:
    return {
        "host": host,
        "watcher": "Masakari" if what == FLAG else "Alertmanager",
        "what": what,
        "set": format_time(set_at),
        "cleared": format_time(cleared_at),
        "stays": None if cleared_at is not None else else_,
    }
