"""Interruptions: the gaps that probes measured in services, and the stops of servers that were planned."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from escalator.ledger.database import Database
from escalator.ledger.rows import insert_or_update
from escalator.ledger.stop_rows import HostStop, read_stops
from escalator.ledger.tables import CampaignRow
from escalator.ledger.vim_tables import GapRow
from escalator.model.interruption import YEAR, Breach, Gap, ProbeMethod, find_breaches


class GapBook:
    """The gaps of a ledger; made by ``Ledger.gaps()``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, gap: Gap) -> None:
        """Record a gap; run, address and start tell one from another, and the longest record of it stays."""
        values = {
            "cloud": gap.cloud,
            "campaign": gap.campaign,
            "run_id": gap.run_id,
            "host": gap.host,
            "group_name": gap.group,
            "address": gap.address,
            "method": gap.method.value,
            "started_at": gap.started_at,
            "seconds": gap.seconds,
            "cause": gap.cause,
            "limit_seconds": gap.limit_seconds,
        }
        key = ("campaign", "run_id", "address", "started_at")
        with self._database.writing() as rows:
            insert_or_update(rows, GapRow, values, key=key, larger="seconds")

    def of_run(self, campaign: str, run_id: str) -> tuple[Gap, ...]:
        """Return the gaps that were measured in a run, by their start."""
        return self._read(GapRow.campaign == campaign, GapRow.run_id == run_id)

    def since(self, cloud: str, moment: datetime) -> tuple[Gap, ...]:
        """Return the gaps of a cloud that began at a moment or later, by their start."""
        return self._read(GapRow.cloud == cloud, GapRow.started_at >= moment)

    def stops_of_run(self, campaign: str, run_id: str) -> tuple[HostStop, ...]:
        """Return the servers that a run has stopped for the upgrade of their nodes, by their time."""
        with self._database.reading() as rows:
            return read_stops(rows, CampaignRow.campaign == campaign, CampaignRow.run_id == run_id)

    def stops(self, cloud: str | None = None) -> tuple[HostStop, ...]:
        """Return the servers that the runs of the ledger have stopped, of one cloud or of all."""
        with self._database.reading() as rows:
            return read_stops(rows, *(() if cloud is None else (CampaignRow.cloud == cloud,)))

    def clouds(self) -> tuple[str, ...]:
        """Return the clouds in which something was measured, by name."""
        with self._database.reading() as rows:
            return tuple(rows.scalars(sa.select(GapRow.cloud).distinct().order_by(GapRow.cloud)))

    def _read(self, *which: sa.ColumnElement[bool]) -> tuple[Gap, ...]:
        with self._database.reading() as rows:
            return read_gaps(rows, *which)


def read_gaps(session: Session, *which: sa.ColumnElement[bool]) -> tuple[Gap, ...]:
    """Read gaps by their start."""
    query = sa.select(GapRow).where(*which).order_by(GapRow.started_at, GapRow.address, GapRow.id)
    return tuple(map(_read_gap, session.scalars(query)))


def read_breaches(session: Session, campaign: str, run_id: str) -> tuple[Breach, ...]:
    """Read which groups of a run were interrupted for too long, in it or in the year up to its last gap."""
    own = read_gaps(session, GapRow.campaign == campaign, GapRow.run_id == run_id)
    if not any(gap.measured for gap in own):
        return ()
    begin = max(gap.ended_at for gap in own) - YEAR
    clouds = {gap.cloud for gap in own}
    return find_breaches(own, read_gaps(session, GapRow.cloud.in_(clouds), GapRow.started_at >= begin))


def _read_gap(row: GapRow) -> Gap:
    return Gap(
        cloud=row.cloud,
        campaign=row.campaign,
        run_id=row.run_id,
        host=row.host,
        group=row.group_name,
        address=row.address,
        method=ProbeMethod(row.method),
        started_at=row.started_at,
        seconds=row.seconds,
        cause=row.cause,
        limit_seconds=row.limit_seconds,
    )
