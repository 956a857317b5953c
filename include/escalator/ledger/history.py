"""What finished steps and moves of all campaigns tell the next one."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from escalator.ledger.facts import DRAIN_PLAN, read_facts
from escalator.ledger.rows import named_bundle
from escalator.ledger.tables import CampaignRow, FactRow, MoveRow, NodeRow, StepRow
from escalator.model.durations import History, MoveSample
from escalator.model.moves import DrainPlan
from escalator.model.step import Outcome, Step

MOST_ROWS = 2000
"""Finished steps, and moves, that are looked at: the newest."""


def read_history(session: Session, *, cloud: str, bundle: str) -> History:
    """Read what the campaigns that brought a bundle to a cloud recorded, newest first."""
    ours = sa.and_(CampaignRow.cloud == cloud, named_bundle == bundle)
    query = (
        sa.select(StepRow.node_id, StepRow.step, StepRow.begun_at, StepRow.ended_at)
        .join(NodeRow, StepRow.node_id == NodeRow.id)
        .join(CampaignRow, NodeRow.campaign_id == CampaignRow.id)
        .where(ours, StepRow.result == Outcome.OK.value, StepRow.ended_at.is_not(None))
        .order_by(StepRow.id.desc())
        .limit(MOST_ROWS)
    )
    steps: dict[Step, list[float]] = {}
    nodes = set()
    for node, step, begun, ended in session.execute(query):
        if ended is not None:
            steps.setdefault(Step(step), []).append(max(0.0, (ended - begun).total_seconds()))
        nodes.add(node)
    return History(steps=steps, moves=tuple(_moves(session, ours)), nodes=len(nodes))


def _moves(session: Session, ours: sa.ColumnElement[bool]) -> Iterator[MoveSample]:
    """Give the moves that arrived; the memory of a server stands in the drain plan of the node it left."""
    query = (
        sa.select(MoveRow.server_id, MoveRow.started_at, MoveRow.ended_at, NodeRow.id)
        .join(CampaignRow, MoveRow.campaign_id == CampaignRow.id)
        .join(NodeRow, sa.and_(NodeRow.campaign_id == CampaignRow.id, NodeRow.host == MoveRow.host))
        .where(ours, MoveRow.succeeded)
        .order_by(MoveRow.id.desc())
        .limit(MOST_ROWS)
    )
    rows = session.execute(query).all()
    memories = dict(_memories(session, {node for *_, node in rows}))
    for server, started, ended, node in rows:
        if memory := memories.get((node, server)):
            seconds = max(0.0, (ended - started).total_seconds())
            yield MoveSample(memory_mib=memory, seconds=seconds)


def _memories(session: Session, nodes: set[int]) -> Iterator[tuple[tuple[int, str], int]]:
    """Give the memory (MiB) of the servers that were to leave nodes, by node and server id."""
    query = (
        sa.select(NodeRow.id, NodeRow.host, FactRow.value)
        .join(NodeRow, FactRow.node_id == NodeRow.id)
        .where(FactRow.key == DRAIN_PLAN, NodeRow.id.in_(nodes))
    )
    for node, host, value in session.execute(query):
        plan = read_facts(host, {DRAIN_PLAN: value}).drain_plan
        for move in plan.moves if isinstance(plan, DrainPlan) else ():
            yield (node, move.server_id), move.memory_mib
