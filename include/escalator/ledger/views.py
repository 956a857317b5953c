"""What a decision needs to know of the past, read for one campaign."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

import sqlalchemy as sa
from sqlalchemy.orm import Session

from escalator.ledger.facts import APPROVAL, CROSSING, CROSSING_ASKED, FROM_VERSION, LEASES, read_facts
from escalator.ledger.gap_book import read_breaches
from escalator.ledger.given_back import read_given_back
from escalator.ledger.notice_rows import read_notice
from escalator.ledger.records import read_progress
from escalator.ledger.rows import find_campaign
from escalator.ledger.tables import CampaignRow, FactRow, MoveRow, NodeRow, OrderRow, StepRow
from escalator.ledger.vim_tables import NoticeRow, SessionRunRow
from escalator.model.approval import ApprovalAnswer
from escalator.model.campaign import LedgerView, NodeProgress, NodeState
from escalator.model.notice import NoticeRecord, NoticeState
from escalator.model.order import Order, Verb
from escalator.model.step import Outcome, Step

_OVER = frozenset({NodeState.SKIPPED, NodeState.HELD, NodeState.FAILED})
"""States of a node that is not going to be upgraded any more by its campaign."""


def read_view(session: Session, campaign: str, run_id: str) -> LedgerView:
    """Read how the nodes of a run stand, in the order of the plan, and what its decisions look back at.

    The owners of servers count as told when the last of their managers was, at the earliest at the start; a
    manager that could not be told counts as told when that was first tried.
    """
    row = find_campaign(session, campaign, run_id)
    if row is None:
        return LedgerView(given_back=read_given_back(session, None))
    nodes = read_nodes(session, row.id)
    told = _read_told(session, campaign, run_id)
    return LedgerView(
        nodes=nodes,
        given_back=read_given_back(session, row.cloud),
        moved_twice=_count_moved_twice(session, row, nodes),
        noticed_at=max([row.opened_at, *(record.delivered_at or record.made_at for record in told)]),
        ready=frozenset(i for record in told if record.agreed for i in record.notice.instance_ids),
        leases=_read_leases(session, row),
        breaches=read_breaches(session, campaign, run_id),
        **_read_answers(session, row.id),
        orders=read_orders(session, row.id),
    )


def read_stand(session: Session, campaign_id: int) -> LedgerView:
    """Read how a run stands for who looks at it: its nodes, what persons were asked, said and ordered."""
    return LedgerView(
        nodes=read_nodes(session, campaign_id),
        **_read_answers(session, campaign_id),
        orders=read_orders(session, campaign_id),
    )


def read_nodes(session: Session, campaign_id: int) -> tuple[NodeProgress, ...]:
    """Read how the nodes of a run stand, in the order of the plan."""
    rows = sa.select(NodeRow).where(NodeRow.campaign_id == campaign_id).order_by(NodeRow.id)
    return tuple(read_progress(node) for node in session.scalars(rows))


def read_orders(session: Session, campaign_id: int) -> tuple[Order, ...]:
    """Read what was ordered of a run, the earliest first."""
    rows = sa.select(OrderRow).where(OrderRow.campaign_id == campaign_id).order_by(OrderRow.id)
    return tuple(
        Order(
            id=row.id,
            verb=Verb(row.verb),
            host=row.host,
            by=row.ordered_by,
            at=row.ordered_at,
            reason=row.reason,
            plan_hash=row.plan_hash,
            in_flight=row.in_flight,
            effective_at=row.effective_at,
            effect=row.effect,
        )
        for row in session.scalars(rows)
    )


def _read_told(session: Session, campaign: str, run_id: str) -> list[NoticeRecord]:
    """Return what each manager was told of the campaign, and what it answered."""
    query = (
        sa.select(NoticeRow)
        .join(SessionRunRow, SessionRunRow.session_id == NoticeRow.session_id)
        .where(
            SessionRunRow.campaign == campaign,
            SessionRunRow.run_id == run_id,
            NoticeRow.state == NoticeState.MAINTENANCE.value,
        )
    )
    return [read_notice(row) for row in session.scalars(query)]


def _read_leases(session: Session, row: CampaignRow) -> dict[str, tuple[str, ...]]:
    query = (
        sa.select(NodeRow.host, FactRow.value)
        .join(NodeRow, FactRow.node_id == NodeRow.id)
        .where(NodeRow.campaign_id == row.id, FactRow.key == LEASES)
    )
    return {host: read_facts(host, {LEASES: value}).leases for host, value in session.execute(query)}


class _Answers(TypedDict):
    approvals: dict[str, ApprovalAnswer]
    crossings_asked: frozenset[str]
    crossing: ApprovalAnswer | None


def _read_answers(session: Session, campaign_id: int) -> _Answers:
    """Return what persons were asked and said of the nodes of a run."""
    query = (
        sa.select(NodeRow.host, FactRow.key, FactRow.value)
        .join(NodeRow, FactRow.node_id == NodeRow.id)
        .where(NodeRow.campaign_id == campaign_id, FactRow.key.in_((APPROVAL, CROSSING, CROSSING_ASKED)))
    )
    found: dict[str, dict[str, Any]] = {}
    for host, key, value in session.execute(query):
        found.setdefault(host, {})[key] = value
    words = {host: read_facts(host, values) for host, values in found.items()}
    answers = [told.crossing for told in words.values() if told.crossing is not None]
    return _Answers(
        approvals={host: told.approval for host, told in words.items() if told.approval is not None},
        crossings_asked=frozenset(host for host, told in words.items() if told.crossing_asked is not None),
        crossing=max(answers, key=lambda answer: answer.at, default=None),
    )


def _count_moved_twice(session: Session, row: CampaignRow, nodes: tuple[NodeProgress, ...]) -> dict[str, int]:
    """Count the moves that ended on a node which was still to be upgraded then, and so will move again."""
    moved = sa.select(MoveRow.to_host, MoveRow.ended_at).where(
        MoveRow.campaign_id == row.id, MoveRow.succeeded, MoveRow.to_host.is_not(None)
    )
    moves = session.execute(moved).all()
    pending_until = {node.host: node.since if node.state in _OVER else None for node in nodes}
    pending_until |= _upgraded_at(session, row)
    moved_twice = sum(
        host in pending_until and ((until := pending_until[host]) is None or ended < until)
        for host, ended in moves
    )
    return {row.plan["request"]["domain"]: moved_twice} if moved_twice else {}


def _upgraded_at(session: Session, row: CampaignRow) -> dict[str, datetime]:
    """Return since when each node of a run is upgraded: proved by verify, or found so at the start."""
    verified = (
        sa.select(NodeRow.host, StepRow.ended_at)
        .join(NodeRow, StepRow.node_id == NodeRow.id)
        .where(
            NodeRow.campaign_id == row.id,
            StepRow.step == Step.VERIFY.value,
            StepRow.result == Outcome.OK.value,
        )
        .order_by(StepRow.id.desc())
    )
    found = (
        sa.select(NodeRow.host, FactRow.value)
        .join(NodeRow, FactRow.node_id == NodeRow.id)
        .where(NodeRow.campaign_id == row.id, FactRow.key == FROM_VERSION)
    )
    target: Any = row.plan["target_version"]
    # newest first: of a node that was verified several times the first time stays
    upgraded = {host: ended for host, ended in session.execute(verified) if ended is not None}
    return upgraded | {host: row.opened_at for host, version in session.execute(found) if version == target}
