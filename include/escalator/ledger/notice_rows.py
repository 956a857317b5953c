"""Sessions and notices as rows, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from escalator.ledger.codec import from_json, to_json
from escalator.ledger.vim_tables import NoticeRow, SessionRow
from escalator.model.digest import compute_digest
from escalator.model.maintenance_session import MaintenanceSession, SessionState
from escalator.model.notice import (
    InstanceAction,
    Notice,
    NoticeEvent,
    NoticeRecord,
    NoticeState,
    Reply,
)


def make_session_values(session: MaintenanceSession) -> dict[str, Any]:
    """Return the columns of a session that is opened."""
    return {
        "id": session.id,
        "cloud": session.cloud,
        "state": session.state.value,
        "opened_at": session.opened_at,
        "request": to_json(session.request),
        "notices": 0,
        "deleted": False,
    }


def read_session(row: SessionRow, runs: Mapping[tuple[str, str], bool | None]) -> MaintenanceSession:
    """Return the session of a row, with its runs and whether they failed; None: they have not ended."""
    return MaintenanceSession(
        id=row.id,
        cloud=row.cloud,
        state=SessionState(row.state),
        opened_at=row.opened_at,
        runs=tuple(runs),
        request=row.request,
        ended={run: failed for run, failed in runs.items() if failed is not None},
    )


def compute_key_digest(notice: Notice) -> str:
    """Return the digest of what makes a notice the same as another one."""
    return compute_digest({"key": [part.encode(errors="backslashreplace").decode() for part in notice.key]})


def make_notice_row(notice: Notice, number: int, now: datetime) -> NoticeRow:
    """Return the row of a notice that waits to be sent."""
    return NoticeRow(
        session_id=notice.session_id,
        number=number,
        digest=compute_key_digest(notice),
        vnfm=notice.vnfm,
        project_id=notice.project_id,
        event=notice.event.value,
        state=notice.state.value,
        host=notice.host,
        instance_id=notice.instance_id,
        round=notice.round,
        actions_at=notice.actions_at,
        reply_at=notice.reply_at,
        payload={
            "instance_ids": to_json(notice.instance_ids),
            "allowed_actions": to_json(notice.allowed_actions),
            "metadata": to_json(notice.metadata),
        },
        made_at=now,
        tries=0,
        error="",
        given_up=False,
    )


def read_notice(row: NoticeRow) -> NoticeRecord:
    """Return the record of a row.

    :raises InvalidRequestError: its reply is of another form.
    """
    payload = row.payload
    return NoticeRecord(
        id=row.id,
        number=row.number,
        notice=Notice(
            session_id=row.session_id,
            vnfm=row.vnfm,
            project_id=row.project_id,
            state=NoticeState(row.state),
            event=NoticeEvent(row.event),
            host=row.host,
            instance_ids=tuple(payload["instance_ids"]),
            instance_id=row.instance_id,
            round=row.round,
            allowed_actions=tuple(map(InstanceAction, payload["allowed_actions"])),
            actions_at=row.actions_at,
            reply_at=row.reply_at,
            metadata=payload["metadata"],
        ),
        made_at=row.made_at,
        delivered_at=row.delivered_at,
        tries=row.tries,
        error=row.error,
        next_try_at=row.next_try_at,
        given_up=row.given_up,
        reply=None if row.reply is None else from_json(Reply, row.reply),
        replied_at=row.replied_at,
        closed_at=row.closed_at,
    )
