"""Notices as the ledger has them, for the tests of what goes over the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from escalator.model.notice import Notice, NoticeRecord, NoticeState

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
WARSAW = timezone(timedelta(hours=1))
SESSION = "7f9c2b1e-3a54-4d6b-8e21-0c9d8b7a6f55"
SERVER = "0d7a1a53-6a0e-4f43-9f0e-5d5a3f0a4c11"
BASE = "http://airflow.example:8080/vim/lab/v1"
PROJECT_URL = f"{BASE}/maintenance/{SESSION}/p1"


def make_notice(state: NoticeState = NoticeState.PLANNED_MAINTENANCE, **changes: Any) -> Notice:
    fields: dict[str, Any] = {
        "session_id": SESSION,
        "vnfm": "one",
        "project_id": "p1",
        "state": state,
        "host": "compute-1",
        "instance_ids": (SERVER,),
        "actions_at": datetime(2026, 11, 28, 13, 30, 5, 7, tzinfo=WARSAW),
        "reply_at": datetime(2026, 11, 28, 12, 20, tzinfo=UTC),
    }
    return Notice(**fields | changes)


def make_record(notice: Notice | None = None, **changes: Any) -> NoticeRecord:
    fields: dict[str, Any] = {"id": 17, "number": 3, "notice": notice or make_notice(), "made_at": NOW}
    return NoticeRecord(**fields | changes)
