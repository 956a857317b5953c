from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.upgrade_manager.clouds import few
from tests.vim_interface.wire.notices import NOW, make_notice, make_record

from escalator.model.notice import NoticeRecord, NoticeState
from escalator.vim_interface.delivery.http_call import Answer, NoAnswer
from escalator.vim_interface.delivery.outcomes import (
    KEPT_SECONDS,
    ON_ITS_WAY,
    Outcome,
    decide_outcome,
    is_lost,
    is_past,
)

REFUSED = NoAnswer(was_sent=False, error="no connection")
LOST = NoAnswer(was_sent=True, error="the connection broke")


def record(tries: int = 1, error: str = "") -> NoticeRecord:
    return make_record(tries=tries, error=error)


def pause_of(outcome: Outcome) -> float | None:
    return None if outcome.next_try_at is None else (outcome.next_try_at - NOW).total_seconds()


@pytest.mark.parametrize("status", [200, 202, 204])
def test_taken_is_delivered(status: int) -> None:
    assert decide_outcome(record(), Answer(status=status), NOW) == Outcome(delivered=True)


def test_what_was_not_sent_is_tried_ever_more_seldom() -> None:
    pauses = [pause_of(decide_outcome(record(tries), REFUSED, NOW)) for tries in (1, 2, 3, 4, 5, 6, 99)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize("found", [LOST, Answer(status=504), Answer(status=502)])
def test_what_may_have_arrived_is_left_alone_for_half_a_minute(found: Answer | NoAnswer) -> None:
    assert [pause_of(decide_outcome(record(tries), found, NOW)) for tries in (1, 9)] == [30, 30]


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 410, 422])
def test_what_is_refused_for_good_is_given_up_with_the_reason(status: int) -> None:
    outcome = decide_outcome(record(), Answer(status=status, text="no such thing"), NOW)
    assert outcome == Outcome(error=f"HTTP {status}: no such thing")


@pytest.mark.parametrize("status", [408, 429, 503])
@pytest.mark.parametrize(("asked", "seconds"), [("", 4), ("7", 7), ("0", 1), ("9999", 30), ("tomorrow", 4)])
def test_what_is_asked_for_later_comes_later(status: int, asked: str, seconds: float) -> None:
    outcome = decide_outcome(record(tries=3), Answer(status=status, retry_after=asked), NOW)
    assert (pause_of(outcome), outcome.error) == (seconds, f"HTTP {status}")


def test_receiver_that_breaks_is_tried_three_times_whatever_came_between() -> None:
    broke = Answer(status=500, text="KeyError")
    error = "refused"
    for found, pause in [(REFUSED, 16), (broke, 30), (REFUSED, 16), (LOST, 30), (broke, 30), (broke, None)]:
        outcome = decide_outcome(record(tries=5, error=error), found, NOW)
        assert pause_of(outcome) == pause
        error = outcome.error
    assert error == "broke on it (3 of 3): HTTP 500: KeyError"


@pytest.mark.parametrize("found", [REFUSED, LOST, Answer(status=503), Answer(status=500)])
def test_after_the_deadline_nothing_is_sent_again(found: Answer | NoAnswer) -> None:
    late = make_notice().reply_at
    assert late is not None
    outcome = decide_outcome(record(), found, late)
    assert outcome.next_try_at is None
    assert outcome.error
    assert is_past(record(), late)
    assert not is_past(record(), late - timedelta(seconds=1))


def test_notice_without_a_deadline_is_tried_for_an_hour() -> None:
    told = make_record(make_notice(reply_at=None))
    hour = NOW + timedelta(seconds=KEPT_SECONDS)
    assert not is_past(told, hour - timedelta(seconds=1))
    assert decide_outcome(told, REFUSED, hour).next_try_at is None


@given(st.integers(100, 599), st.integers(1, 10**6), st.text(max_size=30))
@few
def test_every_answer_is_delivered_or_has_a_reason_and_an_end(status: int, tries: int, error: str) -> None:
    outcome = decide_outcome(record(tries, error), Answer(status=status), NOW)
    assert outcome.delivered != bool(outcome.error)
    assert outcome.next_try_at is None or timedelta(seconds=1) <= outcome.next_try_at - NOW <= timedelta(
        seconds=30
    )


@pytest.mark.parametrize("found", [LOST, Answer(status=500), Answer(status=502), Answer(status=504)])
def test_scaling_in_is_not_asked_for_twice_once_it_may_have_arrived(found: Answer | NoAnswer) -> None:
    asked = make_record(make_notice(NoticeState.SCALE_IN), tries=1)
    outcome = decide_outcome(asked, found, NOW)
    assert (outcome.delivered, outcome.next_try_at) == (False, None)
    assert outcome.error.startswith("it may have arrived")


@pytest.mark.parametrize("found", [REFUSED, Answer(status=503), Answer(status=429)])
def test_scaling_in_is_asked_for_again_when_it_cannot_have_arrived(found: Answer | NoAnswer) -> None:
    asked = make_record(make_notice(NoticeState.SCALE_IN), tries=1)
    assert decide_outcome(asked, found, NOW).next_try_at is not None


def test_scaling_in_whose_sender_ended_in_mid_send_is_lost() -> None:
    asked = make_notice(NoticeState.SCALE_IN)
    assert is_lost(make_record(asked, tries=2, error=ON_ITS_WAY))
    assert not is_lost(make_record(asked, tries=2))
    assert not is_lost(make_record(asked, tries=2, error="no connection"))
    assert not is_lost(make_record(tries=2, error=ON_ITS_WAY))
