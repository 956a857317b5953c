"""The switchovers of VNFs: what was found before each that is ours, so that exactly that is restored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from escalator.ledger.codec import to_json
from escalator.ledger.database import Database
from escalator.ledger.rows import insert_or_ignore
from escalator.ledger.vim_tables import SwitchRow
from escalator.model.errors import NotFoundError
from escalator.model.switch import SwitchMethod, SwitchRecord


class SwitchBook:
    """The switchovers of a ledger; made by ``Ledger.switches()``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, record: SwitchRecord) -> SwitchRecord:
        """Record a switchover before the act.

        One of the same run, node, group and server that was begun before stays, with what was found then: it
        is the cloud as it was. Only when that was restored does another one begin.

        :return: the switchover that is recorded: go on with it.
        :raises InvalidRequestError: what was found cannot be stored.
        """
        with self._database.writing() as rows:
            last = _find_last(rows, record)
            if last is None or last.restored_at is not None:
                _add_after(rows, last, record)
                last = _require_last(rows, record)
            return _read_switch(last)

    def note(self, record: SwitchRecord, since: datetime) -> bool:
        """Record a switchover that a manager did, when it is over.

        One of the same run, node, group and server that ended since then is this one, and stays.

        :param since: when the manager said that it had done it (aware).
        :return: whether it was not recorded yet.
        """
        with self._database.writing() as rows:
            last = _find_last(rows, record)
            if last is not None and last.ended_at is not None and last.ended_at >= since:
                return False
            _add_after(rows, last, record)
            return True

    def end(self, record: SwitchRecord) -> None:
        """Record how a switchover ended: when, verified or not, to which server. The last word counts.

        :raises NotFoundError: it was never begun.
        """
        with self._database.writing() as rows:
            row = _require_last(rows, record)
            row.ended_at = record.ended_at
            row.verified = record.verified
            row.message = record.message
            row.to_server = record.to_server

    def of_run(self, campaign: str, run_id: str) -> tuple[SwitchRecord, ...]:
        """Return the switchovers of a run, in the order in which they began."""
        with self._database.reading() as rows:
            return read_switches(rows, campaign, run_id)

    def mark_restored(self, record: SwitchRecord, now: datetime, words: Sequence[str] = ()) -> None:
        """Record that what was found is restored; the first time stays.

        :param words: what is not as it was all the same.
        :raises NotFoundError: it was never begun.
        """
        with self._database.writing() as rows:
            row = _require_last(rows, record)
            if row.restored_at is None:
                row.restored_at = now
                row.not_restored = list(words)

    def note_not_restored(self, record: SwitchRecord, words: Sequence[str]) -> None:
        """Record why what was found is not restored; the last word counts.

        :raises NotFoundError: it was never begun.
        """
        with self._database.writing() as rows:
            row = _require_last(rows, record)
            if row.restored_at is None:
                row.not_restored = list(words)


def read_switches(rows: Session, campaign: str, run_id: str) -> tuple[SwitchRecord, ...]:
    """Read the switchovers of a run, in the order in which they began."""
    query = (
        sa.select(SwitchRow)
        .where(SwitchRow.campaign == campaign, SwitchRow.run_id == run_id)
        .order_by(SwitchRow.begun_at, SwitchRow.id)
    )
    return tuple(map(_read_switch, rows.scalars(query)))


def _find_last(rows: Session, record: SwitchRecord) -> SwitchRow | None:
    """Return the last switchover of the record's server, locked until the transaction ends."""
    query = (
        sa.select(SwitchRow)
        .where(
            SwitchRow.campaign == record.campaign,
            SwitchRow.run_id == record.run_id,
            SwitchRow.host == record.host,
            SwitchRow.group_name == record.group,
            SwitchRow.from_server == record.from_server,
        )
        .order_by(SwitchRow.number.desc())
        .limit(1)
        .with_for_update()
    )
    return rows.scalar(query)


def _add_after(rows: Session, last: SwitchRow | None, record: SwitchRecord) -> None:
    """Add a switchover after the last one of its server."""
    number = 1 if last is None else last.number + 1
    insert_or_ignore(rows, SwitchRow, _make_values(record, number))


def _require_last(rows: Session, record: SwitchRecord) -> SwitchRow:
    found = _find_last(rows, record)
    if found is None:
        raise NotFoundError(
            f"no switchover of server {record.from_server} on {record.host} is in the ledger",
            remedy=f"clear the task {record.host}.switchover with downstream",
        )
    return found


def _make_values(record: SwitchRecord, number: int) -> dict[str, object]:
    return {
        "campaign": record.campaign,
        "run_id": record.run_id,
        "host": record.host,
        "group_name": record.group,
        "from_server": record.from_server,
        "number": number,
        "method": record.method.value,
        "to_server": record.to_server,
        "begun_at": record.begun_at,
        "ended_at": record.ended_at,
        "verified": record.verified,
        "message": record.message,
        "found": to_json(record.found),
        "restored_at": None,
        "not_restored": None,
    }


def _read_switch(row: SwitchRow) -> SwitchRecord:
    return SwitchRecord(
        campaign=row.campaign,
        run_id=row.run_id,
        host=row.host,
        group=row.group_name,
        method=SwitchMethod(row.method),
        from_server=row.from_server,
        to_server=row.to_server,
        begun_at=row.begun_at,
        ended_at=row.ended_at,
        verified=row.verified,
        message=row.message,
        found=row.found,
        restored_at=row.restored_at,
        not_restored=tuple(row.not_restored or ()),
    )
