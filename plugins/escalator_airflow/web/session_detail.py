"""What the ledger knows of a session: its nodes, and the instances that notices were about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from escalator.ledger.ledger import Ledger
from escalator.model.campaign import NodeState
from escalator.model.maintenance_session import MaintenanceSession
from escalator.model.notice import NoticeEvent, NoticeRecord


def describe_session(ledger: Ledger, session: MaintenanceSession) -> dict[str, Any]:
    """Say how a session, its nodes and its instances stand."""
    return {
        "session_id": session.id,
        "state": session.state,
        "hosts": list(_hosts(ledger, session)),
        "instances": list(_instances(ledger.notices().find(session.id)).values()),
        "plugins": [],
    }


def _hosts(ledger: Ledger, session: MaintenanceSession) -> Iterator[dict[str, Any]]:
    for campaign, run_id in session.runs:
        run = ledger.run(campaign, run_id)
        if run.plan() is None:  # it was not opened yet
            continue
        for node in run.nodes():
            yield {
                "hostname": node.host,
                "campaign": campaign,
                "state": node.state,
                "maintained": node.state is NodeState.RELEASED,
            }


def _instances(records: tuple[NoticeRecord, ...]) -> dict[str, dict[str, Any]]:
    """Return what the newest notice about each instance says, by its id."""
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        if record.notice.event is not NoticeEvent.SCHEDULED:
            continue
        for instance_id in record.notice.instance_ids:
            found[instance_id] = _instance(record, instance_id)
    return found


def _instance(record: NoticeRecord, instance_id: str) -> dict[str, Any]:
    notice, reply = record.notice, record.reply
    word = "" if reply is None else "ACK_" if reply.ack else "NACK_"
    return {
        "instance_id": instance_id,
        "project_id": notice.project_id,
        "host": notice.host,
        "project_state": f"{word}{notice.state}",
        "action": reply.actions.get(instance_id) if reply is not None else None,
    }
