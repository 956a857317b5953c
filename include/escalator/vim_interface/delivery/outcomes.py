"""What becomes of a notice after one try to deliver it. Pure.

Delivered is what the receiver took (2xx). What it cannot have got is sent again after a second, then two,
four and so on to half a minute. What it may have got, or got and broke on, is sent again after half a minute,
while no reply has come. What it refuses for good is given up, and so is what nobody waits for any more.

SCALE_IN is another matter: who gets it twice scales in twice. It is not sent again once it may have arrived.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from escalator.model.notice import NoticeRecord, NoticeState
from escalator.vim_interface.delivery.http_call import Answer, NoAnswer

LONGEST_PAUSE_SECONDS = 30.0
MOST_BREAKS = 3
KEPT_SECONDS = 3600.0
"""For how long a notice without a deadline is tried."""
_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""The receiver has not taken it, and says that it will."""
_PERHAPS = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
"""What stands before the receiver does not know whether it has taken it."""
_ONCE = frozenset({NoticeState.SCALE_IN})
"""States that must not arrive twice."""
ON_ITS_WAY = "it is on its way"
"""The error of a notice while a POST of it goes on."""
LOST = f"{ON_ITS_WAY}, or was when its sender ended, and is not sent twice"
_BREAK = re.compile(r"^broke on it \((\d+) of \d+\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is noted of a try; neither delivered nor a next try: it is given up."""

    delivered: bool = False
    error: str = ""
    next_try_at: datetime | None = None


def is_past(record: NoticeRecord, now: datetime) -> bool:
    """Tell whether nobody waits for the notice any more: its reply would be late, or it is very old."""
    due = record.notice.reply_at
    return now >= (due or record.made_at + timedelta(seconds=KEPT_SECONDS))


def decide_outcome(record: NoticeRecord, found: Answer | NoAnswer, now: datetime) -> Outcome:
    """Decide what becomes of a notice.

    :param record: as it was claimed, with this try counted.
    :param found: what came of this try.
    """
    if must_arrive_once(record) and _may_have_arrived(found):
        return Outcome(error=f"it may have arrived, and is not sent twice: {_describe(found)}")
    if isinstance(found, NoAnswer):
        pause = LONGEST_PAUSE_SECONDS if found.was_sent else _pause(record)
        return _again(record, found.error, pause, now)
    if found.is_good:
        return Outcome(delivered=True)
    return _decide_refused(record, found, now)


def _decide_refused(record: NoticeRecord, found: Answer, now: datetime) -> Outcome:
    said = _describe(found)
    if found.status in _LATER:
        return _again(record, said, _asked_pause(found) or _pause(record), now)
    if found.status in _PERHAPS:
        return _again(record, said, LONGEST_PAUSE_SECONDS, now)
    if found.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Outcome(error=said)
    breaks = _count_breaks(record) + 1
    said = f"broke on it ({breaks} of {MOST_BREAKS}): {said}"
    return _again(record, said, LONGEST_PAUSE_SECONDS, now) if breaks < MOST_BREAKS else Outcome(error=said)


def must_arrive_once(record: NoticeRecord) -> bool:
    """Tell whether a notice must not arrive twice."""
    return record.notice.state in _ONCE


def is_lost(record: NoticeRecord) -> bool:
    """Tell whether a notice that must not arrive twice was on its way when its sender ended.

    :param record: as it was claimed.
    """
    return must_arrive_once(record) and record.error == ON_ITS_WAY


def _may_have_arrived(found: Answer | NoAnswer) -> bool:
    if isinstance(found, NoAnswer):
        return found.was_sent
    return found.status >= HTTPStatus.INTERNAL_SERVER_ERROR and found.status not in _LATER


def _describe(found: Answer | NoAnswer) -> str:
    if isinstance(found, NoAnswer):
        return found.error
    return f"HTTP {found.status}" + (f": {found.text}" if found.text else "")


def decide_unsendable(record: NoticeRecord, error: str, now: datetime) -> Outcome:
    """Decide what becomes of a notice that could not even be tried, for a reason that may pass."""
    return _again(record, error, _pause(record), now)


def _again(record: NoticeRecord, error: str, seconds: float, now: datetime) -> Outcome:
    """Try it again later; the breaks so far stay in the error: other processes count on."""
    if is_past(record, now):
        return Outcome(error=error)
    breaks = _count_breaks(record)
    if breaks and not _BREAK.match(error):
        error = f"broke on it ({breaks} of {MOST_BREAKS}), then: {error}"
    return Outcome(error=error, next_try_at=now + timedelta(seconds=seconds))


def _count_breaks(record: NoticeRecord) -> int:
    found = _BREAK.match(record.error)
    return int(found[1]) if found else 0


def _pause(record: NoticeRecord) -> float:
    """Return 1 s after the first try, then twice as long each time, to half a minute."""
    return float(min(LONGEST_PAUSE_SECONDS, 2 ** min(max(record.tries, 1) - 1, 10)))


def _asked_pause(answer: Answer) -> float | None:
    """Return for how many seconds the receiver asks to be left alone, as far as we obey."""
    if not re.fullmatch(r"\d{1,6}", answer.retry_after):
        return None
    return min(LONGEST_PAUSE_SECONDS, max(1.0, float(answer.retry_after)))
