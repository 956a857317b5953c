"""Maintenance sessions, and the notices to managers of VNFs with their replies.

Many processes use them at once: each change is one short transaction that reads, decides and writes under a
lock. None is held while a notice is on its way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from escalator.ledger.codec import to_json
from escalator.ledger.database import Database
from escalator.ledger.notice_rows import (
    compute_key_digest,
    make_notice_row,
    make_session_values,
    read_notice,
    read_session,
)
from escalator.ledger.replies import find_answered
from escalator.ledger.rows import insert_or_ignore
from escalator.ledger.vim_tables import NoticeRow, SessionRow, SessionRunRow
from escalator.model.errors import NotFoundError
from escalator.model.maintenance_session import MaintenanceSession, SessionState
from escalator.model.notice import Notice, NoticeRecord, NoticeState, Reply, ReplyOutcome


class NoticeBook:
    """The sessions and notices of a ledger; made by ``Ledger.notices()``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_session(self, session: MaintenanceSession) -> MaintenanceSession:
        """Record a session; of one that is there all stays, only runs are added.

        :return: the session that is recorded.
        """
        with self._database.writing() as rows:
            insert_or_ignore(rows, SessionRow, make_session_values(session))
            for campaign, run_id in session.runs:
                run = {"session_id": session.id, "campaign": campaign, "run_id": run_id}
                insert_or_ignore(rows, SessionRunRow, run)
            return _read_sessions(rows, [rows.get_one(SessionRow, session.id)])[0]

    def session(self, session_id: str) -> MaintenanceSession | None:
        """Return a session, also one that was deleted; None when it was never opened."""
        with self._database.reading() as rows:
            found = rows.get(SessionRow, session_id)
            return None if found is None else _read_sessions(rows, [found])[0]

    def sessions(self, cloud: str) -> tuple[MaintenanceSession, ...]:
        """Return the sessions of a cloud that were not deleted, the newest first."""
        query = (
            sa.select(SessionRow)
            .where(SessionRow.cloud == cloud, SessionRow.deleted.is_(False))
            .order_by(SessionRow.opened_at.desc(), SessionRow.id)
        )
        with self._database.reading() as rows:
            return _read_sessions(rows, rows.scalars(query).all())

    def set_session_state(self, session_id: str, state: SessionState) -> None:
        """Say how a session stands; one that has ended stays so, until a run of it begins anew.

        :raises NotFoundError: when it was never opened.
        """
        with self._database.writing() as rows:
            row = _lock_sessions(rows, [session_id])[session_id]
            if state.ended or not SessionState(row.state).ended:
                row.state = state.value

    def begin_run(self, session_id: str, run: tuple[str, str]) -> None:
        """Say that a run of a session goes on; one that had ended begins anew, and the session with it.

        The session stays failed for another run that failed.
        """
        with self._database.writing() as rows:
            session = _lock_sessions(rows, [session_id])[session_id]
            mine = _find_run(rows, session_id, run)
            if mine is None or mine.failed is None:
                return
            mine.failed = None
            rows.flush()
            if not any(_read_sessions(rows, [session])[0].ended.values()):
                session.state = SessionState.MAINTENANCE.value

    def end_run(self, session_id: str, run: tuple[str, str], *, failed: bool) -> MaintenanceSession | None:
        """Say that a run of a session has ended; with one that failed the session has failed.

        :return: the session as it is then: of runs that end at once, the last one sees the others; None: it
            was never opened.
        """
        with self._database.writing() as rows:
            query = sa.select(SessionRow).where(SessionRow.id == session_id).with_for_update()
            session = rows.scalar(query)
            if session is None:
                return None
            key = {"session_id": session_id, "campaign": run[0], "run_id": run[1]}
            insert_or_ignore(rows, SessionRunRow, key)
            mine = _find_run(rows, session_id, run)
            if mine is not None:
                mine.failed = failed
            if failed:
                session.state = SessionState.MAINTENANCE_FAILED.value
            rows.flush()
            return _read_sessions(rows, [session])[0]

    def delete_session(self, session_id: str) -> None:
        """Hide a session from the list of its cloud; its notices stay. A second call changes nothing."""
        with self._database.writing() as rows:
            rows.execute(sa.update(SessionRow).where(SessionRow.id == session_id).values(deleted=True))

    def queue(self, notices: Sequence[Notice], now: datetime) -> tuple[NoticeRecord, ...]:
        """Record notices that are to be sent; one whose ``key`` is there already stays as it is.

        :return: the record of each notice, old or new, in the order given.
        :raises NotFoundError: when a session was never opened.
        """
        with self._database.writing() as rows:
            sessions = _lock_sessions(rows, {notice.session_id for notice in notices})
            digests = [compute_key_digest(notice) for notice in notices]
            query = sa.select(NoticeRow).where(
                NoticeRow.session_id.in_(sessions), NoticeRow.digest.in_(digests)
            )
            known = {row.digest: row for row in rows.scalars(query)}
            for digest, notice in zip(digests, notices, strict=True):
                if digest not in known:
                    owner = sessions[notice.session_id]
                    owner.notices += 1
                    known[digest] = make_notice_row(notice, owner.notices, now)
                    rows.add(known[digest])
            rows.flush()
            return tuple(read_notice(known[digest]) for digest in digests)

    def find(
        self,
        session_id: str,
        *,
        project_id: str | None = None,
        host: str | None = None,
        state: NoticeState | None = None,
    ) -> tuple[NoticeRecord, ...]:
        """Return the notices of a session by their number: all, or of a project, a node or a state."""
        query = sa.select(NoticeRow).where(NoticeRow.session_id == session_id).order_by(NoticeRow.number)
        if project_id is not None:
            query = query.where(NoticeRow.project_id == project_id)
        if host is not None:
            query = query.where(NoticeRow.host == host)
        if state is not None:
            query = query.where(NoticeRow.state == state.value)
        with self._database.reading() as rows:
            return tuple(map(read_notice, rows.scalars(query)))

    def claim_due(
        self,
        session_id: str,
        now: datetime,
        *,
        lease_seconds: float,
        limit: int = 50,
        only_news: bool = False,
    ) -> tuple[NoticeRecord, ...]:
        """Take notices to send them: those that are due, neither delivered, answered, closed nor given up.

        They are not due again before the lease ends: a process that dies with a notice in its hands delays
        it. Two processes never take the same one. The time for a reply begins with the first try.

        :param only_news: only those that nobody is to reply to.
        :return: the notices by their number, with this try counted.
        """
        query = (
            sa.select(NoticeRow)
            .where(
                NoticeRow.session_id == session_id,
                NoticeRow.delivered_at.is_(None),
                NoticeRow.replied_at.is_(None),
                NoticeRow.closed_at.is_(None),
                NoticeRow.given_up.is_(False),
                sa.or_(NoticeRow.next_try_at.is_(None), NoticeRow.next_try_at <= now),
            )
            .order_by(NoticeRow.number)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        if only_news:
            query = query.where(NoticeRow.reply_at.is_(None))
        with self._database.writing() as rows:
            claimed = rows.scalars(query).all()
            for row in claimed:
                if row.tries == 0:
                    _move_deadline(row, now)
                row.next_try_at = now + timedelta(seconds=lease_seconds)
                row.tries += 1
            rows.flush()
            return tuple(map(read_notice, claimed))

    def note_delivered(self, notice_id: int, now: datetime) -> None:
        """Say that the receiver has taken a notice; the first time stays."""
        with self._database.writing() as rows:
            for row in _lock_notices(rows, NoticeRow.id == notice_id):
                _set_delivered(row, now)

    def note_undelivered(self, notice_id: int, error: str, *, next_try_at: datetime | None) -> None:
        """Say that a try failed; a notice that was delivered or answered meanwhile stays so.

        :param error: why, without any secret.
        :param next_try_at: when it is sent again; None: it is given up.
        """
        with self._database.writing() as rows:
            for row in _lock_notices(rows, NoticeRow.id == notice_id, NoticeRow.delivered_at.is_(None)):
                row.error = error
                row.next_try_at = next_try_at
                row.given_up = next_try_at is None

    def record_reply(
        self,
        session_id: str,
        project_id: str,
        reply: Reply,
        now: datetime,
        *,
        instance_id: str | None = None,
        number: int | None = None,
    ) -> ReplyOutcome:
        """Take a reply for the notice that it answers; an answered one was delivered.

        :param instance_id: the server that the reply was sent for; None: it was sent for the project.
        :param number: of the notice that the reply's address names; None: it names none.
        """
        with self._database.writing() as rows:
            if rows.get(SessionRow, session_id) is None:
                return ReplyOutcome.UNKNOWN
            asked = _lock_notices(
                rows,
                NoticeRow.session_id == session_id,
                NoticeRow.project_id == project_id,
                NoticeRow.state == reply.state.value,
                NoticeRow.reply_at.is_not(None),
            )
            outcome, answered = find_answered(map(read_notice, asked), reply, now, instance_id, number=number)
            for row in asked:
                if answered is not None and row.id == answered.id:
                    row.reply = to_json(reply)
                    row.replied_at = now
                    _set_delivered(row, now)
            return outcome

    def close(self, notice_ids: Sequence[int], now: datetime) -> tuple[NoticeRecord, ...]:
        """Act upon the deadline of notices: those that wait for a reply take none any more, and are not sent.

        :return: the notices by their number, as they are then; a reply that came first is kept.
        """
        with self._database.writing() as rows:
            found = _lock_notices(rows, NoticeRow.id.in_(notice_ids))
            for row in found:
                if row.reply_at is not None and row.replied_at is None and row.closed_at is None:
                    row.closed_at = now
            rows.flush()
            return tuple(map(read_notice, sorted(found, key=lambda row: (row.session_id, row.number))))


def _lock_sessions(rows: Session, session_ids: Collection[str]) -> dict[str, SessionRow]:
    """Return sessions, locked until the transaction ends.

    :raises NotFoundError: when one was never opened.
    """
    query = sa.select(SessionRow).where(SessionRow.id.in_(session_ids)).order_by(SessionRow.id)
    found = {row.id: row for row in rows.scalars(query.with_for_update())}
    for missing in sorted(set(session_ids) - set(found)):
        raise NotFoundError(
            f"maintenance session {missing} is not in the ledger",
            remedy="see whether announce has run, and on this ledger",
        )
    return found


def _lock_notices(rows: Session, *which: sa.ColumnElement[bool]) -> Sequence[NoticeRow]:
    """Return notices, locked until the transaction ends, in one order: no two wait for each other."""
    return rows.scalars(sa.select(NoticeRow).where(*which).order_by(NoticeRow.id).with_for_update()).all()


def _move_deadline(row: NoticeRow, now: datetime) -> None:
    """Give who is to reply the whole time to do so, however long the notice lay here."""
    if row.reply_at is not None:
        late = max(now - row.made_at, timedelta())
        row.reply_at += late
        row.actions_at = None if row.actions_at is None else row.actions_at + late


def _set_delivered(row: NoticeRow, now: datetime) -> None:
    if row.delivered_at is None:
        row.delivered_at = now
        row.error = ""
        row.next_try_at = None
        row.given_up = False


def _find_run(rows: Session, session_id: str, run: tuple[str, str]) -> SessionRunRow | None:
    query = sa.select(SessionRunRow).where(
        SessionRunRow.session_id == session_id,
        SessionRunRow.campaign == run[0],
        SessionRunRow.run_id == run[1],
    )
    return rows.scalar(query)


def _read_sessions(rows: Session, found: Iterable[SessionRow]) -> tuple[MaintenanceSession, ...]:
    sessions = tuple(found)
    query = (
        sa.select(SessionRunRow)
        .where(SessionRunRow.session_id.in_([row.id for row in sessions]))
        .order_by(SessionRunRow.id)
    )
    runs: dict[str, dict[tuple[str, str], bool | None]] = defaultdict(dict)
    for run in rows.scalars(query):
        runs[run.session_id][run.campaign, run.run_id] = run.failed
    return tuple(read_session(row, runs[row.id]) for row in sessions)
