"""Which runs changed nodes, and what can be told of these nodes to bring them back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from escalator.ledger.documents import find_document
from escalator.ledger.facts import (
    FROM_COMPONENTS,
    FROM_VERSION,
    LEASED_AT,
    LEASES,
    RELEASED_AT,
    UPGRADE_BEGUN,
    read_facts,
)
from escalator.ledger.records import Document, plan_of
from escalator.ledger.rows import is_dry
from escalator.ledger.tables import CampaignRow, FactRow, NodeRow
from escalator.model.bundle import COMPUTE
from escalator.model.node_facts import NodeFacts

_FORGOTTEN = "null"
"""How a fact that was forgotten is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedNode:
    """A node whose software a run changed, or began to change. Times are aware.

    :ivar before: component -> the version that was seen first; of what nobody told of there is none.
    :ivar released_at: when the run gave it back; None: it did not, since it took it last.
    """

    host: str
    begun_at: datetime
    before: Mapping[str, str]
    released_at: datetime | None

    @property
    def from_version(self) -> str | None:
        """Return the release of nova-compute that was seen first; None: none was."""
        return self.before.get(COMPUTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoableRun:
    """A run that changed nodes: to which release of nova-compute, by which bundle, and the nodes."""

    run_id: str
    target_version: str
    bundle_document: Any
    nodes: tuple[ChangedNode, ...]


def read_undoable(session: Session, campaign: str, run_id: str | None) -> UndoableRun | None:
    """Read what a run changed; None: there is no such run, or it changed no node.

    :param run_id: None: the run of the campaign that was opened last, of those that changed a node.
    """
    touched = (
        sa.select(NodeRow.campaign_id)
        .join(FactRow, FactRow.node_id == NodeRow.id)
        .where(FactRow.key == UPGRADE_BEGUN, sa.cast(FactRow.value, sa.String) != _FORGOTTEN)
    )
    query = (
        sa.select(CampaignRow)
        .where(CampaignRow.campaign == campaign, sa.not_(is_dry), CampaignRow.id.in_(touched))
        .order_by(CampaignRow.id.desc())
    )
    if run_id is not None:
        query = query.where(CampaignRow.run_id == run_id)
    row = session.scalars(query.limit(1)).one_or_none()
    if row is None:
        return None
    return UndoableRun(
        run_id=row.run_id,
        target_version=plan_of(row).target_version,
        bundle_document=find_document(session, CampaignRow.id == row.id, Document.BUNDLE),
        nodes=_read_nodes(session, row.id),
    )


def _read_nodes(session: Session, key: int) -> tuple[ChangedNode, ...]:
    query = (
        sa.select(NodeRow.host, FactRow.key, FactRow.value)
        .join(NodeRow, FactRow.node_id == NodeRow.id)
        .where(
            NodeRow.campaign_id == key,
            FactRow.key.in_((FROM_COMPONENTS, FROM_VERSION, LEASED_AT, RELEASED_AT, UPGRADE_BEGUN)),
        )
        .order_by(NodeRow.id)
    )
    rows: dict[str, dict[str, Any]] = {}
    for host, name, value in session.execute(query):
        rows.setdefault(host, {})[name] = value
    found = []
    for host, values in rows.items():
        facts = read_facts(host, values)
        if facts.upgrade_begun is not None:
            found.append(
                ChangedNode(
                    host=host,
                    begun_at=facts.upgrade_begun,
                    before=read_before(facts),
                    released_at=_find_return(facts),
                )
            )
    return tuple(found)


def _find_return(facts: NodeFacts) -> datetime | None:
    """Return when a node was given back; None: it was not, or was taken once more since."""
    back, taken = facts.released_at, facts.leased_at
    return None if back is None or (taken is not None and back < taken) else back


def read_before(facts: NodeFacts) -> dict[str, str]:
    """Return component -> the version that was seen on a node before it was changed, as far as it was."""
    compute = {COMPUTE: facts.from_version} if facts.from_version else {}
    return {**(facts.from_components or {}), **compute}


@dataclass(frozen=True, slots=True, kw_only=True)
class LastHolder:
    """The run that had a node out last, by the ids of its DAG and of itself, and what it was to bring."""

    campaign: str
    run_id: str
    target_version: str


def read_last_holder(session: Session, campaigns: Sequence[str], host: str) -> LastHolder | None:
    """Return which run of some campaigns took the lease of a node last; None: none did."""
    query = (
        sa.select(CampaignRow)
        .join(NodeRow, NodeRow.campaign_id == CampaignRow.id)
        .join(FactRow, FactRow.node_id == NodeRow.id)
        .where(
            CampaignRow.campaign.in_(campaigns),
            sa.not_(is_dry),
            NodeRow.host == host,
            FactRow.key == LEASES,
            sa.cast(FactRow.value, sa.String).not_in((_FORGOTTEN, "[]")),
        )
        .order_by(CampaignRow.id.desc())
    )
    row = session.scalars(query.limit(1)).one_or_none()
    if row is None:
        return None
    return LastHolder(campaign=row.campaign, run_id=row.run_id, target_version=plan_of(row).target_version)
