"""What persons ordered of one run, and the claims of its nodes: one of the two comes first, always.

An order and the claim of a node that goes out are written under one lock of the run: who claims later sees
the order, and who orders later knows that the node is in flight.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from escalator.ledger.database import Database
from escalator.ledger.facts import CLAIM, read_facts
from escalator.ledger.records import StepAttempt
from escalator.ledger.rows import check_newest, insert_or_update, lock_node, select_campaign_id
from escalator.ledger.tables import CampaignRow, FactRow, NodeRow, OrderRow
from escalator.ledger.views import read_nodes, read_orders
from escalator.model.decisions import AdmissionDecision
from escalator.model.digest import compute_digest
from escalator.model.order import Order, Verb
from escalator.orders.judging import Accepted, Asked, Ground

Judge = Callable[[Asked, Ground], Accepted]
Decide = Callable[[Collection[Order], str], AdmissionDecision | None]


class Given(NamedTuple):
    """An order that was written, and how the run stood at that moment."""

    order: Order
    ground: Ground


class OrderBook:
    """The orders of one run; made by ``CampaignRun.orders()``. Every method is one short transaction."""

    def __init__(self, database: Database, campaign: str, run_id: str) -> None:
        self._database = database
        self._key = (campaign, run_id)

    def read(self) -> tuple[Order, ...]:
        """Return all orders, the earliest first; none where the run was never opened."""
        with self._database.reading() as session:
            owner = session.scalar(sa.select(CampaignRow.id).where(self._is_it))
            return () if owner is None else read_orders(session, owner)

    def insert(self, asked: Asked, *, judge: Judge, now: datetime) -> Given:
        """Write an order that makes sense; whatever follows from it counts from then on.

        :param judge: raises what speaks against it: nothing is written then.
        :param now: an aware time.
        :raises NotFoundError: the run was never opened.
        """
        with self._database.writing() as session:
            owner = self._lock(session)
            ground = _read_ground(session, owner)
            accepted = judge(asked, ground)
            row = OrderRow(
                campaign_id=owner,
                verb=asked.verb.value,
                host=asked.host,
                ordered_by=asked.by,
                ordered_at=now,
                reason=asked.reason,
                plan_hash=_find_plan_hash(session.get_one(CampaignRow, owner)),
                in_flight=accepted.in_flight,
                effective_at=now if accepted.at_once else None,
                effect=accepted.effect,
            )
            session.add(row)
            session.flush()
            session.expire(row)  # as it is stored
            order = next(order for order in read_orders(session, owner) if order.id == row.id)
            return Given(order=order, ground=ground)

    def claim(self, host: str, attempt: StepAttempt, *, decide: Decide) -> AdmissionDecision | None:
        """Note that a node is about to go out, unless an order keeps it in.

        :param decide: says so of the orders that there are.
        :return: the decision that keeps it in; None: it may go, whatever is ordered from then on.
        :raises SupersededError: a newer attempt at the node has begun; nothing was written.
        """
        with self._database.writing() as session:
            owner = self._lock(session)
            node = lock_node(session, *self._key, host)
            check_newest(attempt, node.fence)
            orders = read_orders(session, owner)
            decision = decide(orders, host)
            if decision is None:
                newest = max((order.id for order in orders), default=0)
                values = {"node_id": node.id, "key": CLAIM, "value": newest}
                insert_or_update(session, FactRow, values, key=("node_id", "key"))
            return decision

    def take_effect(
        self, now: datetime, *, host: str | None = None, verbs: Collection[Verb] = tuple(Verb)
    ) -> None:
        """Note that what was ordered of a node, or of all, has taken effect; a second run changes nothing."""
        with self._database.writing() as session:
            session.execute(
                sa.update(OrderRow)
                .where(
                    OrderRow.campaign_id == select_campaign_id(session, *self._key),
                    OrderRow.host == host if host is not None else OrderRow.host.is_(None),
                    OrderRow.verb.in_([verb.value for verb in verbs]),
                    OrderRow.effective_at.is_(None),
                )
                .values(effective_at=now)
                .execution_options(synchronize_session=False)
            )

    @property
    def _is_it(self) -> sa.ColumnElement[bool]:
        campaign, run_id = self._key
        return sa.and_(CampaignRow.campaign == campaign, CampaignRow.run_id == run_id)

    def _lock(self, session: Session) -> int:
        """Lock the run against other orders and claims until the transaction ends; return its key.

        :raises NotFoundError: it was never opened.
        """
        # rows that refer to it go on to be written
        session.scalar(sa.select(CampaignRow.id).where(self._is_it).with_for_update(key_share=True))
        return select_campaign_id(session, *self._key)


def _find_plan_hash(row: CampaignRow) -> str:
    """Return the fingerprint of the plan that a run goes by, as events tell it; else its digest."""
    return str(row.plan.get("fingerprint") or compute_digest(row.plan))


def _read_ground(session: Session, owner: int) -> Ground:
    claims = (
        sa.select(NodeRow.host, FactRow.value)
        .join(NodeRow, FactRow.node_id == NodeRow.id)
        .where(NodeRow.campaign_id == owner, FactRow.key == CLAIM)
    )
    rows = session.execute(claims)
    found = {host: read_facts(host, {CLAIM: value}).claim for host, value in rows}
    return Ground(
        nodes=read_nodes(session, owner),
        claimed={host: claim for host, claim in found.items() if claim is not None},
        orders=read_orders(session, owner),
    )
