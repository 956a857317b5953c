"""When the runs of a bundle began, which nodes they brought to their end, and what the bundle was then."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from escalator.ledger.documents import find_document, read_stored
from escalator.ledger.records import Document
from escalator.ledger.rows import is_dry, named_bundle
from escalator.ledger.tables import CampaignRow, DocumentRow, NodeRow
from escalator.model.bundle import MechanismType
from escalator.model.campaign import NodeState

_released = NodeRow.state == NodeState.RELEASED.value


class Released(NamedTuple):
    """A run of a bundle: the bundle's document as it was then, the nodes that it verified and gave back.

    ``opened_at``: when it was opened; None: it was a dry run.
    """

    document: Any
    hosts: frozenset[str]
    opened_at: datetime | None


def read_released(session: Session, *, cloud: str, bundle: str, after: int = 0) -> tuple[Released, ...]:
    """Read what the runs of a bundle released in a cloud, the newest run first; also of those that did not.

    All of them: a node that is not told of would go out again.

    :param after: key of a run; only those that were opened after it.
    """
    ours = sa.and_(CampaignRow.cloud == cloud, named_bundle == bundle, CampaignRow.id > after)
    runs = (
        sa.select(CampaignRow.id, CampaignRow.opened_at, is_dry, DocumentRow.body)
        .join(DocumentRow, DocumentRow.campaign_id == CampaignRow.id)
        .where(ours, DocumentRow.kind == Document.BUNDLE.value)
        .order_by(CampaignRow.id.desc())
    )
    nodes = sa.select(NodeRow.campaign_id, NodeRow.host).join(CampaignRow).where(ours, _released)
    hosts: dict[int, set[str]] = {}
    for run, host in session.execute(nodes):
        hosts.setdefault(run, set()).add(host)
    return tuple(
        Released(read_stored(body), frozenset(hosts.get(run, ())), None if dry else opened_at)
        for run, opened_at, dry, body in session.execute(runs)
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
    told = frozenset().union(*(hosts for other, hosts, _ in later if other == document))
    return sorted(set(session.scalars(released)) - told)
