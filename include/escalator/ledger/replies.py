"""Which notice a reply answers, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from escalator.model.notice import NoticeRecord, Reply, ReplyOutcome

Asked = list[NoticeRecord]


def find_answered(
    asked: Iterable[NoticeRecord],
    reply: Reply,
    now: datetime,
    instance_id: str | None = None,
    *,
    number: int | None = None,
) -> tuple[ReplyOutcome, NoticeRecord | None]:
    """Find the notice that a reply answers.

    A notice that was sent goes before one that waits to be sent: nobody answers what nobody got. Of several
    that are open, the newest round is answered, and of that the one that was queued first.

    :param asked: the notices of the reply's session, project and state that expect a reply.
    :param instance_id: the server that the reply was sent for; None: it was sent for the project.
    :param number: of the notice that the reply's address names; None: it names none.
    :return: TAKEN with the notice that it answers, or another outcome and None.
    """
    named = [record for record in asked if number in {None, record.number}]
    fitting = [record for record in _of_address(named, instance_id) if _names_its_servers(record, reply)]
    fitting = [record for record in fitting if record.tries] or fitting
    fitting.sort(key=lambda record: (-record.notice.round, record.number))
    still_open = [record for record in fitting if _is_open(record, now)]
    if _is_cross(fitting, instance_id) and len(still_open or fitting) != 1:
        return ReplyOutcome.UNASKED, None
    if still_open:
        return ReplyOutcome.TAKEN, still_open[0]
    return _judge_ended(fitting, reply), None


def _of_address(asked: Asked, instance_id: str | None) -> Asked:
    """Return the notices that the reply's address means; only without one those of the other dialect."""
    exact = [record for record in asked if record.notice.instance_id == instance_id]
    if exact:
        return exact
    if instance_id is None:
        return asked
    # One answer for one server says nothing of the others that a notice is about.
    return [record for record in asked if record.notice.instance_ids == (instance_id,)]


def _is_cross(fitting: Asked, instance_id: str | None) -> bool:
    return any(record.notice.instance_id != instance_id for record in fitting)


def _names_its_servers(record: NoticeRecord, reply: Reply) -> bool:
    notice = record.notice
    about = {*notice.instance_ids, *filter(None, [notice.instance_id])}
    return not about or not reply.actions or not about.isdisjoint(reply.actions)


def _is_open(record: NoticeRecord, now: datetime) -> bool:
    due = record.notice.reply_at
    return record.reply is None and record.closed_at is None and due is not None and now < due


def _judge_ended(fitting: Asked, reply: Reply) -> ReplyOutcome:
    newest = [record for record in fitting if record.notice.round == fitting[0].notice.round]
    if not newest:
        return ReplyOutcome.UNASKED
    if any(record.reply == reply for record in newest):
        return ReplyOutcome.REPEATED
    if any(record.reply is None for record in newest):
        return ReplyOutcome.LATE
    return ReplyOutcome.CONTRADICTED
