"""Which nodes the runs of a bundle brought to their end, and what the bundle was then."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from escalator.ledger.documents import find_document, read_stored
from escalator.ledger.records import Document
from escalator.ledger.rows import named_bundle
from escalator.ledger.tables import CampaignRow, DocumentRow, NodeRow
from escalator.model.bundle import MechanismType
from escalator.model.campaign import NodeState

_released = NodeRow.state == NodeState.RELEASED.value

Released = tuple[Any, frozenset[str]]
"""The document of a bundle as a run brought it, and the nodes that the run verified and gave back."""


def read_released(session: Session, *, cloud: str, bundle: str, after: int = 0) -> tuple[Released, ...]:
    """Read what the runs of a bundle released in a cloud, the newest run first.

    All of them: a node that is not told of would go out again.

    :param after: key of a run; only those that were opened after it.
    """
    runs = (
        sa.select(CampaignRow.id)
        .where(CampaignRow.cloud == cloud, named_bundle == bundle, CampaignRow.id > after)
        .where(sa.exists().where(NodeRow.campaign_id == CampaignRow.id, _released))
    )
    documents = sa.select(DocumentRow.campaign_id, DocumentRow.body).where(
        DocumentRow.kind == Document.BUNDLE.value, DocumentRow.campaign_id.in_(runs)
    )
    nodes = sa.select(NodeRow.campaign_id, NodeRow.host).where(_released, NodeRow.campaign_id.in_(runs))
    hosts: dict[int, set[str]] = {}
    for run, host in session.execute(nodes):
        hosts.setdefault(run, set()).add(host)
    found = ((run, body) for run, body in session.execute(documents) if run in hosts)
    return tuple(
        (read_stored(body), frozenset(hosts[run])) for run, body in sorted(found, key=lambda item: -item[0])
    )


def find_only_told(session: Session, key: int, cloud: str) -> list[str]:
    """Return the nodes of which a run alone tells that they went through its bundle, which brings nothing.

    Of a bundle that brings software the nodes tell it themselves.
    """
    run = CampaignRow.id == key
    document = find_document(session, run, Document.BUNDLE)
    mechanism = document.get("mechanism") if isinstance(document, dict) else None
    if not isinstance(mechanism, dict) or mechanism.get("type") != MechanismType.NONE:
        return []
    bundle = session.scalar(sa.select(named_bundle).where(run)) or ""
    released = sa.select(NodeRow.host).where(NodeRow.campaign_id == key, _released)
    later = read_released(session, cloud=cloud, bundle=bundle, after=key)
    told = frozenset().union(*(hosts for other, hosts in later if other == document))
    return sorted(set(session.scalars(released)) - told)
