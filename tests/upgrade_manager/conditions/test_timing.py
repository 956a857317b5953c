from __future__ import annotations

from datetime import timedelta

import pytest
from tests.builders import (
    NOW,
    make_cloud,
    make_node,
    make_plan,
)
from tests.upgrade_manager.conditions.findings import find_unmet

from escalator.model.durations import Quantiles
from escalator.model.verdict import Code, Severity
from escalator.upgrade_manager.conditions.question import (
    ask,
)
from escalator.upgrade_manager.conditions.timing import check_timing, estimate_seconds, format_minutes


def test_a_campaign_that_takes_long_is_warned_of_with_what_would_shorten_it() -> None:
    hosts = tuple(f"n{i:02}" for i in range(30))
    verdicts = find_unmet(make_cloud([make_node(host) for host in hosts]), make_plan(*hosts))
    (verdict,) = verdicts
    assert (verdict.code, verdict.severity) == (Code.DURATION, Severity.WARNING)
    assert "30 nodes, 1 at a time: 68 min, or 3 h 13 min when it goes slowly (assumed)" in verdict.message
    assert verdict.remedy is not None
    assert "max_parallel=2" in verdict.remedy
    assert "2 windows of 15 nodes" in verdict.remedy
    assert (
        find_unmet(make_cloud([make_node(host) for host in hosts]), make_plan(*hosts, max_parallel=2)) == ()
    )


def test_a_window_that_is_too_short_for_any_node_blocks() -> None:
    snapshot = make_cloud([make_node("a"), make_node("b")])
    short = make_plan("a", "b", window_end=NOW + timedelta(seconds=60))
    codes = [(c.code, c.blocks) for c in check_timing(ask(short, snapshot), "")]
    assert codes == [(Code.WINDOW_CLOSED, True), (Code.DURATION, False)]
    long = make_plan("a", "b", window_end=NOW + timedelta(hours=1))
    assert [c.code for c in check_timing(ask(long, snapshot), "")] == [Code.DURATION]


def test_the_time_is_shared_out_over_the_places() -> None:
    snapshot = make_cloud([make_node(host) for host in "abcd"])
    one, two, many = (
        estimate_seconds(ask(make_plan(*"abcd", max_parallel=places), snapshot)) for places in (1, 2, 9)
    )
    assert (two.p50, two.p90) == (one.p50 / 2, one.p90 / 2)
    assert (many.p50, many.p90) == (one.p50 / 4, one.p90 / 4)


def test_soaks_count() -> None:
    snapshot = make_cloud([make_node(host) for host in "abcd"])
    none, soaks = (
        estimate_seconds(ask(make_plan(*"abcd", max_parallel=2, soak_seconds=seconds), snapshot))
        for seconds in (0, 600)
    )
    assert (soaks.p50 - none.p50, soaks.p90 - none.p90) == (600.0, 600.0)


def test_no_node_takes_no_time() -> None:
    question = ask(make_plan(), make_cloud([make_node("a")]))
    assert estimate_seconds(question) == Quantiles(p50=0.0, p90=0.0)
    assert list(check_timing(question, "")) == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (45, "45 s"),
        (119, "119 s"),
        (120, "2 min"),
        (121, "3 min"),
        (7200, "2 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations_are_written_for_people(seconds: float, words: str) -> None:
    assert format_minutes(seconds) == words
