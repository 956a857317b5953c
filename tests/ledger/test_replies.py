"""Which notice a reply answers: the outcomes one by one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.builders import NOW

from escalator.ledger.replies import find_answered
from escalator.model.notice import InstanceAction, Notice, NoticeRecord, NoticeState, Reply, ReplyOutcome

DUE = NOW + timedelta(minutes=5)
ASKED = NoticeState.PLANNED_MAINTENANCE
ACK = Reply(ack=True, state=ASKED)
NACK = Reply(ack=False, state=ASKED)
OWN_1 = Reply(ack=True, state=ASKED, actions={"s1": InstanceAction.OWN_ACTION})


def make_record(number: int, **changes: Any) -> NoticeRecord:
    about = {"host": "node-01", "instance_ids": ("s1", "s2"), "reply_at": DUE}
    asked = about | {key: changes.pop(key) for key in tuple(changes) if key in Notice.__dataclass_fields__}
    notice = Notice(session_id="s", vnfm="v", project_id="p", state=ASKED, **asked)
    return NoticeRecord(id=number + 100, number=number, notice=notice, made_at=NOW, **{"tries": 1} | changes)


def make_for_instance(number: int, server: str, **changes: Any) -> NoticeRecord:
    return make_record(number, instance_id=server, instance_ids=(server,), **changes)


OPEN = make_record(1)
ACKED = make_record(1, reply=ACK, replied_at=NOW)
CLOSED = make_record(1, closed_at=NOW)


@pytest.mark.parametrize(
    ("asked", "reply", "outcome"),
    [
        ([], ACK, ReplyOutcome.UNASKED),
        ([OPEN], ACK, ReplyOutcome.TAKEN),
        ([ACKED], ACK, ReplyOutcome.REPEATED),
        ([ACKED], NACK, ReplyOutcome.CONTRADICTED),
        ([ACKED], OWN_1, ReplyOutcome.CONTRADICTED),
        ([CLOSED], ACK, ReplyOutcome.LATE),
        ([make_record(1, reply_at=NOW)], ACK, ReplyOutcome.LATE),
        ([ACKED, make_record(2, round=1)], ACK, ReplyOutcome.TAKEN),
        ([ACKED, make_record(2, round=1, closed_at=NOW)], ACK, ReplyOutcome.LATE),
        ([make_record(1, given_up=True)], ACK, ReplyOutcome.TAKEN),
    ],
)
def test_what_becomes_of_a_reply(asked: list[NoticeRecord], reply: Reply, outcome: ReplyOutcome) -> None:
    found, answered = find_answered(asked, reply, NOW)
    assert found is outcome
    assert (answered is None) is (outcome is not ReplyOutcome.TAKEN)


def test_the_newest_round_is_answered_and_of_that_what_was_queued_first() -> None:
    asked = [OPEN, make_record(2, round=1, host="node-02"), make_record(3, round=1, host="node-03")]
    assert find_answered(asked, ACK, NOW) == (ReplyOutcome.TAKEN, asked[1])


def test_of_two_nodes_the_one_whose_servers_are_named_is_answered() -> None:
    other = make_record(2, host="node-02", instance_ids=("s3",))
    reply = Reply(ack=True, state=ASKED, actions={"s3": InstanceAction.MIGRATE})
    assert find_answered([OPEN, other], reply, NOW) == (ReplyOutcome.TAKEN, other)
    answered = make_record(2, host="node-02", instance_ids=("s3",), reply=reply)
    assert find_answered([OPEN, answered], reply, NOW)[0] is ReplyOutcome.REPEATED


def test_a_reply_that_names_other_servers_only_answers_nothing() -> None:
    reply = Reply(ack=True, state=ASKED, actions={"foreign": InstanceAction.MIGRATE})
    assert find_answered([OPEN], reply, NOW) == (ReplyOutcome.UNASKED, None)


def test_a_repeated_reply_does_not_answer_what_was_not_sent_yet() -> None:
    refused = make_record(1, reply=NACK, replied_at=NOW)
    again = make_record(2, round=1, tries=0)
    assert find_answered([refused, again], NACK, NOW)[0] is ReplyOutcome.REPEATED
    assert find_answered([refused, make_record(2, round=1)], NACK, NOW)[0] is ReplyOutcome.TAKEN


def test_an_answer_for_an_instance_finds_its_notice_and_no_other() -> None:
    asked = [OPEN, make_for_instance(2, "s1"), make_for_instance(3, "s2")]
    assert find_answered(asked, ACK, NOW, "s2") == (ReplyOutcome.TAKEN, asked[2])
    assert find_answered(asked, ACK, NOW, "s3") == (ReplyOutcome.UNASKED, None)
    assert find_answered(asked, ACK, NOW) == (ReplyOutcome.TAKEN, OPEN)


def test_an_answer_for_an_instance_answers_a_notice_for_a_project_only_when_it_is_about_no_other() -> None:
    alone = make_record(1, instance_ids=("s1",))
    assert find_answered([alone], ACK, NOW, "s1") == (ReplyOutcome.TAKEN, alone)
    assert find_answered([OPEN], ACK, NOW, "s1") == (ReplyOutcome.UNASKED, None)


def test_an_answer_for_the_project_answers_a_notice_for_an_instance_when_one_alone_fits() -> None:
    asked = [make_for_instance(1, "s1"), make_for_instance(2, "s2")]
    assert find_answered(asked[:1], ACK, NOW) == (ReplyOutcome.TAKEN, asked[0])
    assert find_answered(asked, ACK, NOW) == (ReplyOutcome.UNASKED, None)
    assert find_answered(asked, OWN_1, NOW) == (ReplyOutcome.TAKEN, asked[0])
    first_answered = [make_for_instance(1, "s1", reply=ACK), asked[1]]
    assert find_answered(first_answered, ACK, NOW) == (ReplyOutcome.TAKEN, asked[1])


def test_a_time_that_has_come_is_past() -> None:
    assert find_answered([OPEN], ACK, DUE - timedelta(microseconds=1))[0] is ReplyOutcome.TAKEN
    assert find_answered([OPEN], ACK, DUE)[0] is ReplyOutcome.LATE


def test_the_number_in_the_address_tells_two_nodes_of_a_project_apart() -> None:
    first = make_record(1, instance_ids=("s1",))
    second = make_record(2, host="node-02", instance_ids=("s2",))
    assert find_answered([first, second], ACK, NOW, number=2) == (ReplyOutcome.TAKEN, second)
    assert find_answered([first, second], ACK, NOW, number=3) == (ReplyOutcome.UNASKED, None)
