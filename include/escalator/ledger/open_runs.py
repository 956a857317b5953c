"""The runs that the ledger has as not at their end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from escalator.ledger.records import Document
from escalator.ledger.tables import CampaignRow, DocumentRow, NodeRow
from escalator.ledger.views import read_nodes
from escalator.model.campaign import NodeProgress, NodeState


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A run that is not over in the ledger: of most a node's way is not at its end.

    :ivar nodes: how all its nodes stand.
    :ivar concluded: its report was written.
    """

    campaign: str
    run_id: str
    dag_id: str
    opened_at: datetime
    nodes: tuple[NodeProgress, ...]
    concluded: bool

    @property
    def hosts(self) -> frozenset[str]:
        """Return the hosts of all its nodes."""
        return frozenset(node.host for node in self.nodes)

    @property
    def unfinished(self) -> tuple[NodeProgress, ...]:
        """Return the nodes whose way is not at its end."""
        return tuple(node for node in self.nodes if not node.state.ended)

    @property
    def out(self) -> tuple[NodeProgress, ...]:
        """Return the nodes that it has out, as far as the ledger knows."""
        return tuple(node for node in self.nodes if node.state.under_way)


def read_open_runs(session: Session, cloud: str) -> tuple[OpenRun, ...]:
    """Read the runs in a cloud that have a node whose way is not at its end, the newest first."""
    return _read_runs(session, cloud, _has_unfinished())


def read_unsettled_runs(session: Session, cloud: str) -> tuple[OpenRun, ...]:
    """Read the runs in a cloud that are open, or that nobody concluded or settled."""
    ended = _has_document(Document.REPORT, Document.SETTLED)
    return _read_runs(session, cloud, sa.or_(_has_unfinished(), ~ended))


def _read_runs(session: Session, cloud: str, which: sa.ColumnElement[bool]) -> tuple[OpenRun, ...]:
    query = (
        sa.select(CampaignRow, _has_document(Document.REPORT))
        .where(which, CampaignRow.cloud == cloud)
        .order_by(CampaignRow.id.desc())
    )
    return tuple(
        OpenRun(
            campaign=row.campaign,
            run_id=row.run_id,
            dag_id=row.dag_id,
            opened_at=row.opened_at,
            nodes=read_nodes(session, row.id),
            concluded=bool(concluded),
        )
        for row, concluded in session.execute(query)
    )


def _has_unfinished() -> sa.Exists:
    ended = [state.value for state in NodeState if state.ended]
    return sa.exists().where(NodeRow.campaign_id == CampaignRow.id, NodeRow.state.not_in(ended))


def _has_document(*kinds: Document) -> sa.Exists:
    return sa.exists().where(
        DocumentRow.campaign_id == CampaignRow.id, DocumentRow.kind.in_([kind.value for kind in kinds])
    )
