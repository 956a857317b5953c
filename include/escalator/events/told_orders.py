"""The book of orders that tells when what persons ordered took effect; who takes the order tells that."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from escalator.events.event import Action
from escalator.events.teller import Teller
from escalator.ledger.database import Database
from escalator.ledger.order_book import OrderBook
from escalator.model.order import Order, Verb

IN_EFFECT = "in effect"


class ToldOrderBook(OrderBook):
    """Records as :class:`OrderBook` does, and then tells it.

    :param teller: tells what was recorded.
    """

    def __init__(self, database: Database, campaign: str, run_id: str, teller: Teller) -> None:
        super().__init__(database, campaign, run_id)
        self._teller = teller

    def take_effect(
        self, now: datetime, *, host: str | None = None, verbs: Collection[Verb] = tuple(Verb)
    ) -> None:
        """Note that what was ordered has taken effect, and tell of each order that had not before."""
        open_before = {order.id for order in self.read() if order.effective_at is None}
        super().take_effect(now, host=host, verbs=verbs)
        for order in self.read() if open_before else ():
            if order.id in open_before and order.effective_at is not None:
                self._tell(order, order.effective_at)

    def _tell(self, order: Order, at: datetime) -> None:
        self._teller.tell(
            Action.ORDER,
            at=at,
            node=order.host,
            result=IN_EFFECT,
            message=f"{order.verb}: {order.reason}" if order.reason else str(order.verb),
            actor=order.by,
            details={"verb": str(order.verb), "effect": order.effect, "in_flight": order.in_flight},
        )
