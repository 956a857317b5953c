"""Which nodes the runs of a bundle brought to their end, and what the bundle was then."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from escalator.ledger.documents import read_stored
from escalator.ledger.records import Document
from escalator.ledger.tables import CampaignRow, DocumentRow, NodeRow
from escalator.model.campaign import NodeState

MOST_RUNS = 500
"""Runs that are looked at: the newest."""

Released = tuple[Any, frozenset[str]]
"""The document of a bundle as a run brought it, and the nodes that the run verified and gave back."""


def read_released(session: Session, *, cloud: str, bundle: str) -> tuple[Released, ...]:
    """Read what the runs of a bundle released in a cloud, the newest run first."""
    named = CampaignRow.plan["request"]["bundle"].as_string()
    ours = sa.and_(CampaignRow.cloud == cloud, named == bundle)
    runs = sa.select(CampaignRow.id).where(ours).order_by(CampaignRow.id.desc()).limit(MOST_RUNS)
    documents = sa.select(DocumentRow.campaign_id, DocumentRow.body).where(
        DocumentRow.kind == Document.BUNDLE.value, DocumentRow.campaign_id.in_(runs)
    )
    nodes = sa.select(NodeRow.campaign_id, NodeRow.host).where(
        NodeRow.state == NodeState.RELEASED.value, NodeRow.campaign_id.in_(runs)
    )
    hosts: dict[int, set[str]] = {}
    for run, host in session.execute(nodes):
        hosts.setdefault(run, set()).add(host)
    found = ((run, body) for run, body in session.execute(documents) if run in hosts)
    return tuple(
        (read_stored(body), frozenset(hosts[run])) for run, body in sorted(found, key=lambda item: -item[0])
    )
