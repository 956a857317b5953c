from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from escalator.model.notice import Notice, NoticeRecord, NoticeState, Reply

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
NOTICE = Notice(
    session_id="s",
    vnfm="m",
    project_id="p",
    state=NoticeState.PLANNED_MAINTENANCE,
    host="node-01",
    instance_ids=("a",),
    reply_at=NOW + timedelta(seconds=60),
)
RECORD = NoticeRecord(id=1, number=1, notice=NOTICE, made_at=NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"session_id": "t"},
        {"vnfm": "n"},
        {"project_id": "q"},
        {"state": NoticeState.MAINTENANCE},
        {"host": "node-02"},
        {"host": None},
        {"instance_id": "a"},
        {"round": 1},
    ],
)
def test_what_a_notice_is_about_makes_it_another_one(changes: dict[str, object]) -> None:
    assert replace(NOTICE, **changes).key != NOTICE.key  # type: ignore[arg-type]


def test_its_times_and_servers_do_not() -> None:
    later = replace(NOTICE, reply_at=NOW, actions_at=NOW, instance_ids=("a", "b"), metadata={"bundle": "x"})
    assert later.key == NOTICE.key


def test_it_is_waited_for_until_it_is_answered_closed_or_past_its_deadline() -> None:
    assert not RECORD.is_settled(NOW)
    assert not RECORD.is_settled(NOW + timedelta(days=1)), "it was never sent"
    sent = replace(RECORD, tries=1)
    assert not sent.is_settled(NOW)
    assert sent.is_settled(NOW + timedelta(seconds=60))
    assert replace(RECORD, closed_at=NOW).is_settled(NOW)
    assert replace(RECORD, reply=Reply(ack=False, state=NOTICE.state)).is_settled(NOW)
    assert replace(RECORD, notice=replace(NOTICE, reply_at=None)).is_settled(NOW)
