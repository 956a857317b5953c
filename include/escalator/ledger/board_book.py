"""What the board looks at, read with few and narrow queries: it is asked for every two seconds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from escalator.ledger.database import Database
from escalator.ledger.facts import DRAIN_PLAN, FLYING, FROM_VERSION, read_facts
from escalator.ledger.records import Document, move_of, plan_of
from escalator.ledger.rows import find_campaign
from escalator.ledger.tables import CampaignRow, DocumentRow, FactRow, MoveRow, NodeRow, StepRow
from escalator.ledger.views import read_stand
from escalator.model.campaign import CampaignPlan, LedgerView
from escalator.model.moves import DrainPlan, MoveRecord
from escalator.model.node_facts import NodeFacts
from escalator.model.step import Outcome, Step
from escalator.model.verdict import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTimes:
    """An attempt at a step, without what a report has beside it.

    :ivar ended_at: None while it runs.
    """

    host: str
    step: Step
    begun_at: datetime
    ended_at: datetime | None = None
    result: Outcome | None = None
    code: Code | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """How a run stands, read in one transaction.

    :ivar view: of it the nodes, what persons were asked and answered, and what was ordered.
    :ivar versions_before: host -> the release of nova-compute that was first seen on it.
    :ivar drains: host -> how it is emptied; of nodes that are under way only.
    :ivar flying: host -> what moves off it as seen last, id of the server -> per cent copied; likewise.
    :ivar moves: host -> the moves off it; of nodes that are under way only.
    :ivar servers_moved: moves of the whole run that arrived.
    :ivar concluded: its report was written, or it was settled: no task of it is at work any more.
    """

    plan: CampaignPlan
    opened_at: datetime
    view: LedgerView
    steps: tuple[StepTimes, ...]
    versions_before: Mapping[str, str]
    drains: Mapping[str, DrainPlan]
    flying: Mapping[str, Mapping[str, int | None]]
    moves: Mapping[str, tuple[MoveRecord, ...]]
    servers_moved: int
    concluded: bool


class BoardBook:
    """The runs of a ledger as the board shows them; made by ``Ledger.board()``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, campaign: str, run_id: str) -> RunFacts | None:
        """Read how a run stands; None: the ledger has no such run."""
        with self._database.reading() as session:
            row = find_campaign(session, campaign, run_id)
            if row is None:
                return None
            view = read_stand(session, row.id)
            out = [node.host for node in view.nodes if node.state.under_way]
            return RunFacts(
                plan=plan_of(row),
                opened_at=row.opened_at,
                view=view,
                steps=tuple(_read_steps(session, row.id)),
                versions_before=dict(_read_versions(session, row.id)),
                drains=dict(_read_drains(session, row.id, out)),
                flying=dict(_read_flying(session, row.id, out)),
                moves=_read_moves(session, row.id, out),
                servers_moved=_count_moved(session, row.id),
                concluded=bool(find_concluded(session, [row.id])),
            )

    def find_places(self, campaign: str, run_id: str, server_ids: Collection[str]) -> dict[str, str]:
        """Return where a run has moved servers to, by their ids; one that it has not moved is not there."""
        query = (
            sa.select(MoveRow.server_id, MoveRow.to_host)
            .join(CampaignRow, MoveRow.campaign_id == CampaignRow.id)
            .where(
                CampaignRow.campaign == campaign,
                CampaignRow.run_id == run_id,
                MoveRow.succeeded,
                MoveRow.to_host.is_not(None),
                MoveRow.server_id.in_(sorted(server_ids)),
            )
            .order_by(MoveRow.id)
        )
        with self._database.reading() as session:
            return {server: host for server, host in session.execute(query) if host is not None}


def _read_steps(session: Session, campaign_id: int) -> Iterable[StepTimes]:
    query = (
        sa.select(
            NodeRow.host,
            StepRow.step,
            StepRow.begun_at,
            StepRow.ended_at,
            StepRow.result,
            StepRow.code,
            StepRow.message,
        )
        .join(NodeRow, StepRow.node_id == NodeRow.id)
        .where(NodeRow.campaign_id == campaign_id)
        .order_by(StepRow.id)
    )
    for host, step, begun, ended, result, code, message in session.execute(query):
        yield StepTimes(
            host=host,
            step=Step(step),
            begun_at=begun,
            ended_at=ended,
            result=Outcome(result) if result else None,
            code=Code(code) if code else None,
            message=message,
        )


def _read_versions(session: Session, campaign_id: int) -> Iterable[tuple[str, str]]:
    for host, value in session.execute(_select_fact(campaign_id, FROM_VERSION)):
        if isinstance(value, str):
            yield host, value


def _read_drains(session: Session, campaign_id: int, hosts: list[str]) -> Iterable[tuple[str, DrainPlan]]:
    for host, facts in _read_facts(session, campaign_id, DRAIN_PLAN, NodeRow.host.in_(hosts)):
        if isinstance(facts.drain_plan, DrainPlan):
            yield host, facts.drain_plan


def _read_flying(
    session: Session, campaign_id: int, hosts: list[str]
) -> Iterable[tuple[str, Mapping[str, int | None]]]:
    for host, facts in _read_facts(session, campaign_id, FLYING, NodeRow.host.in_(hosts)):
        if facts.flying:
            yield host, facts.flying


def _read_facts(
    session: Session, campaign_id: int, key: str, *which: sa.ColumnElement[bool]
) -> Iterable[tuple[str, NodeFacts]]:
    for host, value in session.execute(_select_fact(campaign_id, key).where(*which)):
        yield host, read_facts(host, {key: value})


def _select_fact(campaign_id: int, key: str) -> sa.Select[tuple[str, Any]]:
    return (
        sa.select(NodeRow.host, FactRow.value)
        .join(NodeRow, FactRow.node_id == NodeRow.id)
        .where(NodeRow.campaign_id == campaign_id, FactRow.key == key)
    )


def _read_moves(session: Session, campaign_id: int, hosts: list[str]) -> dict[str, tuple[MoveRecord, ...]]:
    query = (
        sa.select(MoveRow)
        .where(MoveRow.campaign_id == campaign_id, MoveRow.host.in_(hosts))
        .order_by(MoveRow.id)
    )
    found: dict[str, list[MoveRecord]] = {}
    for row in session.scalars(query):
        found.setdefault(row.host, []).append(move_of(row))
    return {host: tuple(moves) for host, moves in found.items()}


def _count_moved(session: Session, campaign_id: int) -> int:
    query = sa.select(sa.func.count()).where(MoveRow.campaign_id == campaign_id, MoveRow.succeeded)
    return int(session.scalar(query) or 0)


def find_concluded(session: Session, campaign_ids: Collection[int]) -> frozenset[int]:
    """Return which runs have a report, or were settled: no task of them is at work any more."""
    ends = [Document.REPORT.value, Document.SETTLED.value]
    query = sa.select(DocumentRow.campaign_id).where(
        DocumentRow.campaign_id.in_(sorted(campaign_ids)), DocumentRow.kind.in_(ends)
    )
    return frozenset(session.scalars(query))
