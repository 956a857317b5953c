"""The gaps that a probe finds, against a service whose outages are known."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from escalator.model.interruption import NOT_MEASURED
from escalator.vim_interface.probes.gaps import TIMEOUT, GapFinder, Span
from escalator.vim_interface.probes.rhythm import Rhythm

RHYTHM = Rhythm(period_seconds=0.1)
SLACK = 2 * RHYTHM.period_seconds + 0.003
Intervals = list[tuple[float, float]]
few = settings(max_examples=60, deadline=None)


def finder(*, answered: bool = True) -> GapFinder:
    return GapFinder(rhythm=RHYTHM, began=0.0, answered=answered)


def play(
    made: GapFinder,
    outages: Intervals,
    *,
    until: float,
    stalls: Intervals | None = None,
    cause: str = TIMEOUT,
) -> list[Span]:
    """Probe a service with these outages from a process that stands still at times."""
    events: list[tuple[float, int, str, int]] = []

    def awake(at: float) -> float:
        return next((end for start, end in stalls or [] if start <= at < end), at)

    events += [(end, 0, f"stall {start}", 0) for start, end in stalls or []]
    at, number = 0.0, 0
    while (sent := awake(at)) < until:
        number += 1
        events.append((sent, 1, "sent", number))
        down = any(start <= sent < end for start, end in outages)
        came = sent + (RHYTHM.timeout_seconds if down and cause == TIMEOUT else 0.002)
        events.append((awake(came), 2, cause if down else "good", number))
        at = max(at, sent - RHYTHM.period_seconds / 2) + RHYTHM.period_seconds
    found: dict[float, Span] = {}
    for time, _, what, which in sorted(events):
        if what == "sent":
            made.note_sent(which, time)
        elif what == "good":
            made.note_good(which, time)
        elif what.startswith("stall"):
            made.note_stall(float(what.split()[1]), time)
        else:
            made.note_bad(which, time, what)
        for span in made.take():
            assert span.start not in found or found[span.start].end <= span.end, "a gap became shorter"
            found[span.start] = span
    return sorted(found.values(), key=lambda span: span.start)


def of_service(spans: list[Span]) -> list[Span]:
    return [span for span in spans if not span.cause.startswith(NOT_MEASURED)]


moments = st.integers(0, 1000).map(lambda n: n / 100 + 0.005)
causes = st.sampled_from([TIMEOUT, "refused"])


@st.composite
def apart(draw: st.DrawFn, *, least: float) -> Intervals:
    """Draw intervals that are at least a second apart from one another."""
    edges = sorted(draw(st.lists(moments, max_size=8, unique=True)))
    kept: Intervals = []
    for start, end in zip(edges[::2], edges[1::2], strict=False):
        if end - start >= least and start > (kept[-1][1] if kept else 0) + 1:
            kept.append((start, end))
    return kept


@few
@given(apart(least=0.2), causes)
def test_every_outage_of_two_periods_is_one_gap_that_is_hardly_longer(outages: Intervals, cause: str) -> None:
    found = of_service(play(finder(), outages, until=12, cause=cause))
    assert len(found) == len(outages)
    for (start, end), gap in zip(outages, found, strict=True):
        assert gap.start <= start
        assert gap.end >= end
        assert gap.seconds <= end - start + SLACK
        assert gap.cause == cause


@few
@given(apart(least=0.01), causes)
def test_a_probe_that_stands_still_blames_no_service(stalls: Intervals, cause: str) -> None:
    found = play(finder(), [], stalls=stalls, until=12, cause=cause)
    assert of_service(found) == []
    long = [(a, b) for a, b in stalls if b - a > RHYTHM.gap_seconds]
    assert [(span.start, span.end) for span in found] == long


@few
@given(apart(least=0.2), apart(least=0.01), causes)
def test_with_both_only_what_was_seen_is_an_interruption(
    outages: Intervals, stalls: Intervals, cause: str
) -> None:
    found = play(finder(), outages, stalls=stalls, until=12, cause=cause)
    long = [(a, b) for a, b in stalls if b - a > RHYTHM.gap_seconds]
    assert [(s.start, s.end) for s in found if s.cause == NOT_MEASURED] == long
    for gap in of_service(found):
        assert not any(a < gap.end and gap.start < b for a, b in long), "a gap lies in what was not measured"
        assert any(a - SLACK <= gap.end and gap.start <= b + SLACK for a, b in outages)
    assert all(a.end <= b.start for a, b in pairwise(found))


def test_one_lost_answer_is_a_gap_which_its_time_out_makes_no_longer() -> None:
    made = finder()
    for number in range(1, 5):
        made.note_sent(number, number / 10)
        if number != 2:
            made.note_good(number, number / 10 + 0.001)
    (gap,) = made.take()
    assert (round(gap.start, 3), round(gap.end, 3), gap.cause) == (0.101, 0.301, TIMEOUT)
    made.note_bad(2, 0.7, TIMEOUT)
    assert made.take() == ()


def test_answers_that_come_late_together_count_at_their_time() -> None:
    made = finder()
    for number in range(1, 8):
        made.note_sent(number, number / 10)
        if number == 1:
            made.note_good(number, 0.101)
    made.note_bad(2, 0.7, TIMEOUT)
    for number in range(2, 8):
        made.note_good(number, 0.75)
    (gap,) = made.take()
    assert (gap.start, gap.end, gap.cause) == (0.101, 0.75, TIMEOUT)


def test_an_open_gap_grows_and_says_its_causes() -> None:
    made = finder()
    made.note_sent(1, 0.0)
    made.note_good(1, 0.001)
    for number, cause in enumerate(["refused", "refused", "unreachable", "status 503"], start=2):
        made.note_sent(number, number / 10)
        made.note_bad(number, number / 10 + 0.01, cause)
    for _ in range(2):
        (gap,) = made.take()
        assert gap == Span(start=0.001, end=0.51, cause="refused, unreachable, status 503")
    made.note_sent(9, 0.9)
    made.note_good(9, 0.9)
    (gap,) = made.take()
    assert (gap.start, gap.end) == (0.001, 0.9)
    assert made.take() == ()


def test_what_never_answered_is_not_measured_until_it_does() -> None:
    (span,) = play(finder(answered=False), [(0, 2.0)], until=3, cause="refused")
    assert (span.start, span.cause) == (0.0, NOT_MEASURED)
    (still,) = play(finder(answered=False), [(0, 9.0)], until=1, cause="refused")
    assert still.cause == f"{NOT_MEASURED}: no answer yet (refused)"


def test_what_answered_before_and_is_away_at_the_start_is_interrupted() -> None:
    (gap,) = play(finder(answered=True), [(0, 2.0)], until=3, cause="refused")
    assert (gap.start, gap.cause) == (0.0, "refused")
    assert 2.0 <= gap.seconds <= 2.2


def test_a_short_standing_still_is_part_of_a_gap_and_makes_none() -> None:
    (gap,) = play(finder(), [(1.05, 2.25)], stalls=[(1.51, 1.6)], until=4, cause="refused")
    assert 1.2 <= gap.seconds <= 1.41


def test_an_answer_that_nobody_asked_for_counts_for_nothing() -> None:
    made = finder()
    made.note_good(7, 5.0)
    made.note_bad(8, 5.0, "refused")
    assert made.take() == ()
