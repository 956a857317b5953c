"""The real ledger on one open connection, where every write of a step is a place to be killed before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from tests.steps.fake_records import Fuse

from escalator.ledger.database import _begin_sqlite, _prepare_sqlite
from escalator.ledger.ledger import Ledger
from escalator.ledger.order_book import OrderBook
from escalator.ledger.records import StepAttempt
from escalator.ledger.rows import find_campaign
from escalator.ledger.run import CampaignRun
from escalator.ledger.tables import (
    Base,
    CampaignRow,
    DocumentRow,
    FactRow,
    MoveRow,
    NodeRow,
    OrderRow,
    StepRow,
    dump_json,
)
from escalator.model.campaign import CampaignPlan
from escalator.model.decisions import AdmissionDecision


class QuickLedger(Ledger):
    """The real ledger on one open connection; every write to a run is a place to be killed before."""

    fuse: Fuse = Fuse()

    @classmethod
    def at(cls, path: Path) -> QuickLedger:
        """Make a ledger in a file."""
        ledger = cls.create_or_upgrade(f"sqlite:///{path}")
        engine = sa.create_engine(
            ledger._database.url, poolclass=sa.pool.StaticPool, json_serializer=dump_json
        )
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        ledger._database.engine = engine
        return ledger

    def run(self, campaign: str, run_id: str) -> CampaignRun:
        run = QuickRun(self._database, campaign, run_id)
        run.ledger = self
        return run


def dump_run(ledger: Ledger, plan: CampaignPlan) -> list[tuple[type[Base], dict[str, Any]]]:
    """Copy what a ledger has of a run, as a backup would."""
    with ledger._database.reading() as session:
        row = find_campaign(session, plan.campaign, plan.run_id)
        if row is None:
            return []
        nodes = session.scalars(sa.select(NodeRow.id).where(NodeRow.campaign_id == row.id)).all()
        found: list[Base] = [row]
        for kind in (DocumentRow, NodeRow, MoveRow, OrderRow):
            found += session.scalars(sa.select(kind).where(kind.campaign_id == row.id)).all()
        for kind in (StepRow, FactRow):
            found += session.scalars(sa.select(kind).where(kind.node_id.in_(nodes))).all()
        return [(type(r), {c.key: getattr(r, c.key) for c in sa.inspect(type(r)).columns}) for r in found]


def restore_run(
    ledger: Ledger,
    plan: CampaignPlan,
    backup: list[tuple[type[Base], dict[str, Any]]],
    *,
    alone: bool = False,
) -> None:
    """Put back what a ledger had of a run; an empty backup loses it.

    :param alone: nothing else is in the ledger after that.
    """
    is_it = sa.and_(CampaignRow.campaign == plan.campaign, CampaignRow.run_id == plan.run_id)
    with ledger._database.writing() as session:
        session.execute(sa.delete(CampaignRow).where(sa.true() if alone else is_it))
        for kind, values in backup:
            session.execute(sa.insert(kind).values(**values))


class QuickRun(CampaignRun):
    """The handle of a run whose writes burn the ledger's fuse."""

    ledger: QuickLedger

    def set_progress(self, *args: Any, **kwargs: Any) -> None:
        self.ledger.fuse.burn()
        super().set_progress(*args, **kwargs)

    def begin_step(self, *args: Any, **kwargs: Any) -> StepAttempt:
        self.ledger.fuse.burn()
        return super().begin_step(*args, **kwargs)

    def finish_step(self, *args: Any, **kwargs: Any) -> None:
        self.ledger.fuse.burn()
        super().finish_step(*args, **kwargs)

    def remember(self, *args: Any, **kwargs: Any) -> None:
        self.ledger.fuse.burn()
        super().remember(*args, **kwargs)

    def record_move(self, *args: Any, **kwargs: Any) -> None:
        self.ledger.fuse.burn()
        super().record_move(*args, **kwargs)

    def orders(self) -> OrderBook:
        book = QuickOrders(self._database, self.campaign, self.run_id)
        book.fuse = self.ledger.fuse
        return book


class QuickOrders(OrderBook):
    """The orders of a run; what steps write there burns the fuse."""

    fuse: Fuse

    def claim(self, *args: Any, **kwargs: Any) -> AdmissionDecision | None:
        self.fuse.burn()
        return super().claim(*args, **kwargs)

    def take_effect(self, *args: Any, **kwargs: Any) -> None:
        self.fuse.burn()
        super().take_effect(*args, **kwargs)
