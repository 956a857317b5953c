"""Sessions and notices, one process at a time; ``test_notice_races`` has many."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.builders import NOW
from tests.ledger.notices import ACK, DUE, LATER, PLANNED, SESSION, TOLD

from escalator.ledger.notice_book import NoticeBook
from escalator.model.errors import InvalidRequestError, NotFoundError
from escalator.model.maintenance_session import SessionState
from escalator.model.notice import (
    InstanceAction,
    Notice,
    NoticeEvent,
    NoticeRecord,
    NoticeState,
    Reply,
    ReplyOutcome,
)


def queue_one(book: NoticeBook, notice: Notice = PLANNED) -> NoticeRecord:
    return book.queue([notice], NOW)[0]


def claim(book: NoticeBook, now: datetime = NOW, **options: Any) -> list[int]:
    return [r.number for r in book.claim_due(SESSION.id, now, **{"lease_seconds": 60} | options)]


def test_a_session_comes_back_and_is_opened_once(book: NoticeBook) -> None:
    assert book.session(SESSION.id) == SESSION
    again = replace(
        SESSION,
        state=SessionState.MAINTENANCE_DONE,
        opened_at=LATER,
        request={},
        runs=(("upgrade__lab", "run-1"), ("upgrade__lab", "run-2")),
    )
    assert book.open_session(again) == replace(SESSION, runs=again.runs)
    assert book.session(SESSION.id) == replace(SESSION, runs=again.runs)
    assert book.session("unknown") is None


def test_sessions_of_a_cloud_are_listed_until_they_are_deleted(book: NoticeBook) -> None:
    newer = replace(SESSION, id="newer", opened_at=LATER, runs=())
    book.open_session(newer)
    book.open_session(replace(SESSION, id="elsewhere", cloud="other"))
    assert book.sessions("lab") == (newer, SESSION)
    queue_one(book)
    for _ in range(2):
        book.delete_session(SESSION.id)
    assert book.sessions("lab") == (newer,)
    assert len(book.find(SESSION.id)) == 1
    assert book.session(SESSION.id) == SESSION
    book.delete_session("unknown")


def test_the_state_of_a_session_is_set(book: NoticeBook) -> None:
    book.set_session_state(SESSION.id, SessionState.START_MAINTENANCE)
    assert book.session(SESSION.id) == replace(SESSION, state=SessionState.START_MAINTENANCE)
    with pytest.raises(NotFoundError, match="unknown"):
        book.set_session_state("unknown", SessionState.MAINTENANCE)


def test_a_session_that_has_ended_stays_so_until_its_run_begins_anew(book: NoticeBook) -> None:
    (run,) = SESSION.runs
    book.begin_run(SESSION.id, run)
    assert book.session(SESSION.id) == SESSION
    ended = book.end_run(SESSION.id, run, failed=True)
    assert ended == replace(SESSION, state=SessionState.MAINTENANCE_FAILED, ended={run: True})
    book.set_session_state(SESSION.id, SessionState.START_MAINTENANCE)
    assert book.session(SESSION.id) == ended
    book.begin_run(SESSION.id, run)
    assert book.session(SESSION.id) == SESSION
    book.end_run(SESSION.id, run, failed=False)
    book.set_session_state(SESSION.id, SessionState.MAINTENANCE_DONE)
    done = replace(SESSION, state=SessionState.MAINTENANCE_DONE, ended={run: False})
    assert book.session(SESSION.id) == done
    assert book.end_run("unknown", run, failed=True) is None


def test_a_session_stays_failed_for_its_other_run(book: NoticeBook) -> None:
    (run,), other = SESSION.runs, ("upgrade__lab__b", "run-1")
    book.end_run(SESSION.id, other, failed=True)
    book.end_run(SESSION.id, run, failed=True)
    book.begin_run(SESSION.id, run)
    found = book.session(SESSION.id)
    assert found is not None
    assert (found.state, found.ended) == (SessionState.MAINTENANCE_FAILED, {other: True})
    assert found.runs == (run, other)


def test_a_notice_comes_back_exactly_and_waits(book: NoticeBook) -> None:
    record = queue_one(book)
    assert record == NoticeRecord(id=record.id, number=1, notice=PLANNED, made_at=NOW)
    assert book.find(SESSION.id) == (record,)


def test_a_notice_is_queued_once_and_numbers_have_no_gap(book: NoticeBook) -> None:
    first = queue_one(book)
    other = replace(PLANNED, project_id="project-2")
    asked_again = replace(PLANNED, round=1)
    changed = replace(PLANNED, actions_at=LATER, metadata={})
    records = book.queue([other, changed, asked_again, other], LATER)
    assert [record.number for record in records] == [2, 1, 3, 2]
    assert records[1] == first
    assert records[0] == records[3]
    assert [record.number for record in book.find(SESSION.id)] == [1, 2, 3]


@pytest.mark.parametrize(
    "change",
    [
        {"vnfm": "other"},
        {"project_id": "other"},
        {"event": NoticeEvent.HOST},
        {"state": NoticeState.PREPARE_MAINTENANCE},
        {"host": None},
        {"instance_id": "s1"},
        {"round": 1},
    ],
)
def test_what_tells_notices_apart_makes_another_row(book: NoticeBook, change: dict[str, Any]) -> None:
    assert len({record.id for record in book.queue([PLANNED, replace(PLANNED, **change)], NOW)}) == 2


def test_each_session_has_numbers_of_its_own(book: NoticeBook) -> None:
    book.open_session(replace(SESSION, id="other", runs=()))
    records = book.queue([PLANNED, replace(PLANNED, session_id="other")], NOW)
    assert [record.number for record in records] == [1, 1]
    assert len(book.find("other")) == 1


def test_a_notice_of_no_session_is_refused_and_nothing_is_queued(book: NoticeBook) -> None:
    with pytest.raises(NotFoundError, match="gone"):
        book.queue([PLANNED, replace(PLANNED, session_id="gone")], NOW)
    assert book.find(SESSION.id) == ()
    assert book.queue([], NOW) == ()


def test_a_naive_time_is_refused(book: NoticeBook) -> None:
    with pytest.raises(InvalidRequestError, match="no zone"):
        queue_one(book, replace(PLANNED, reply_at=DUE.replace(tzinfo=None)))


def test_notices_are_found_by_project_node_and_state(book: NoticeBook) -> None:
    elsewhere = replace(PLANNED, project_id="project-2", host="node-02")
    book.queue([PLANNED, elsewhere, TOLD], NOW)
    found = {
        key: [record.number for record in book.find(SESSION.id, **which)]
        for key, which in {
            "project": {"project_id": "project-2"},
            "host": {"host": "node-01"},
            "state": {"state": NoticeState.INSTANCE_ACTION_DONE},
            "both": {"project_id": "project-2", "host": "node-01"},
        }.items()
    }
    assert found == {"project": [2], "host": [1, 3], "state": [3], "both": []}


def test_what_is_claimed_is_due_again_only_after_its_lease(book: NoticeBook) -> None:
    book.queue([PLANNED, TOLD], NOW)
    claimed = book.claim_due(SESSION.id, NOW, lease_seconds=60)
    assert [(r.number, r.tries, r.next_try_at) for r in claimed] == [
        (1, 1, NOW + timedelta(seconds=60)),
        (2, 1, NOW + timedelta(seconds=60)),
    ]
    assert claim(book, NOW + timedelta(seconds=59.9)) == []
    assert claim(book, NOW + timedelta(seconds=60), limit=1) == [1]
    assert [record.tries for record in book.find(SESSION.id)] == [2, 1]
    assert book.claim_due("unknown", NOW, lease_seconds=60) == ()


def test_the_time_for_a_reply_begins_when_it_is_first_sent(book: NoticeBook) -> None:
    book.queue([PLANNED, TOLD], NOW)
    lain = timedelta(hours=1)
    asked, told = book.claim_due(SESSION.id, NOW + lain, lease_seconds=60)
    assert (asked.notice.reply_at, asked.notice.actions_at) == (DUE + lain, DUE + lain)
    assert told.notice == TOLD
    (again,) = book.claim_due(SESSION.id, NOW + 2 * lain, lease_seconds=60, limit=1)
    assert again.notice == asked.notice, "only the first time"
    assert book.record_reply(SESSION.id, "project-1", ACK, DUE + lain) is ReplyOutcome.LATE


def test_what_is_delivered_answered_closed_or_given_up_is_not_sent(book: NoticeBook) -> None:
    notices = [replace(PLANNED, project_id=str(number)) for number in range(5)]
    ids = [record.id for record in book.queue(notices, NOW)]
    book.note_delivered(ids[0], NOW)
    assert book.record_reply(SESSION.id, "1", ACK, NOW) is ReplyOutcome.TAKEN
    book.close([ids[2]], NOW)
    book.note_undelivered(ids[3], "refused", next_try_at=None)
    assert claim(book) == [5]


def test_a_try_that_failed_is_made_again_when_it_says(book: NoticeBook) -> None:
    record = queue_one(book)
    claim(book)
    book.note_undelivered(record.id, "connection refused\0\udfff", next_try_at=LATER)
    (found,) = book.find(SESSION.id)
    assert (found.error, found.next_try_at, found.given_up) == (
        "connection refused\\x00\\udfff",
        LATER,
        False,
    )
    assert claim(book, LATER - timedelta(seconds=1)) == []
    assert claim(book, LATER) == [1]
    book.note_delivered(record.id, LATER)
    book.note_delivered(record.id, DUE)
    book.note_undelivered(record.id, "a slower try", next_try_at=None)
    (found,) = book.find(SESSION.id)
    assert (found.delivered_at, found.error, found.next_try_at, found.given_up) == (LATER, "", None, False)


def test_a_reply_comes_back_and_its_notice_was_delivered(book: NoticeBook) -> None:
    record = queue_one(book)
    claim(book)
    assert book.record_reply(SESSION.id, "project-1", ACK, LATER) is ReplyOutcome.TAKEN
    book.note_undelivered(record.id, "timed out", next_try_at=None)
    (found,) = book.find(SESSION.id)
    assert (found.reply, found.replied_at, found.delivered_at, found.given_up) == (ACK, LATER, LATER, False)
    assert found.is_settled(NOW)


def test_the_first_answer_holds(book: NoticeBook) -> None:
    queue_one(book)
    nack = replace(ACK, ack=False, actions={})
    answers = [ACK, ACK, nack, ACK]
    assert [book.record_reply(SESSION.id, "project-1", answer, NOW) for answer in answers] == [
        ReplyOutcome.TAKEN,
        ReplyOutcome.REPEATED,
        ReplyOutcome.CONTRADICTED,
        ReplyOutcome.REPEATED,
    ]
    assert book.find(SESSION.id)[0].reply == ACK


@pytest.mark.parametrize(
    ("session", "project", "state", "outcome"),
    [
        ("unknown", "project-1", NoticeState.PLANNED_MAINTENANCE, ReplyOutcome.UNKNOWN),
        ("\0", "\0", NoticeState.PLANNED_MAINTENANCE, ReplyOutcome.UNKNOWN),
        (SESSION.id, "\0\udfff", NoticeState.PLANNED_MAINTENANCE, ReplyOutcome.UNASKED),
        (SESSION.id, "project-2", NoticeState.PLANNED_MAINTENANCE, ReplyOutcome.UNASKED),
        (SESSION.id, "project-1", NoticeState.SCALE_IN, ReplyOutcome.UNASKED),
        (SESSION.id, "project-1", NoticeState.INSTANCE_ACTION_DONE, ReplyOutcome.UNASKED),
    ],
)
def test_a_reply_that_nobody_asked_for_changes_nothing(
    book: NoticeBook, session: str, project: str, state: NoticeState, outcome: ReplyOutcome
) -> None:
    before = book.queue([PLANNED, TOLD], NOW)
    assert book.record_reply(session, project, replace(ACK, state=state), NOW) is outcome
    assert book.find(SESSION.id) == before


def test_an_answer_for_an_instance_finds_its_notice(book: NoticeBook) -> None:
    notices = [replace(PLANNED, instance_id=server, instance_ids=(server,)) for server in ("s1", "s2")]
    book.queue(notices, NOW)
    reply = Reply(ack=True, state=PLANNED.state, actions={"s2": InstanceAction.MIGRATE})
    outcome = book.record_reply(SESSION.id, "project-1", reply, NOW, instance_id="s2")
    assert outcome is ReplyOutcome.TAKEN
    assert [record.reply for record in book.find(SESSION.id)] == [None, reply]


def test_a_deadline_closes_what_waits_and_keeps_what_was_answered(book: NoticeBook) -> None:
    other = replace(PLANNED, project_id="project-2")
    records = book.queue([PLANNED, other, TOLD], NOW)
    book.record_reply(SESSION.id, "project-1", ACK, NOW)
    closed = book.close([records[2].id, records[1].id, records[0].id, 10**6], DUE)
    assert [(r.number, r.reply, r.closed_at) for r in closed] == [
        (1, ACK, None),
        (2, None, DUE),
        (3, None, None),
    ]
    assert closed == book.find(SESSION.id)
    assert book.close([records[1].id], DUE + timedelta(hours=1))[0].closed_at == DUE
    late = replace(ACK, actions={})
    assert book.record_reply(SESSION.id, "project-2", late, NOW) is ReplyOutcome.LATE
    assert book.find(SESSION.id)[1].reply is None
    assert claim(book) == [3]
