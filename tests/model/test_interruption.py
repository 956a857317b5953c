from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalator.model.interruption import (
    NOT_MEASURED,
    Gap,
    InterruptionLimit,
    ProbeMethod,
    find_breaches,
    sum_gaps,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def gap(at: float = 0.0, seconds: float = 0.3, **fields: Any) -> Gap:
    given = {"group": "sbc", "address": "10.0.0.5", "cause": "time-out", **fields}
    return Gap(
        cloud="lab",
        campaign="upgrade__lab",
        run_id="run-1",
        host="node-01",
        method=ProbeMethod.ICMP,
        started_at=NOON + timedelta(seconds=at),
        seconds=seconds,
        **given,
    )


def test_gaps_are_summed_by_group() -> None:
    sbc, web = sum_gaps([gap(), gap(5, 0.7), gap(0, 0.2, group="web")])
    assert (sbc.group, sbc.count, sbc.longest_seconds, sbc.sum_seconds) == ("sbc", 2, 0.7, 1.0)
    assert (web.group, web.count, web.sum_seconds) == ("web", 1, 0.2)


def test_an_outage_that_two_addresses_or_two_runs_saw_counts_once_in_the_sum() -> None:
    (found,) = sum_gaps([gap(0, 1.0), gap(0.5, 1.0, address="10.0.0.6"), gap(0.2, 0.3)])
    assert (found.count, found.longest_seconds, found.sum_seconds) == (3, 1.0, 1.5)


def test_what_was_not_measured_is_no_interruption() -> None:
    (found,) = sum_gaps([gap(0, 400, cause=NOT_MEASURED), gap(500, 0.2)])
    assert (found.count, found.sum_seconds, found.not_measured_seconds) == (1, 0.2, 400)
    assert find_breaches([gap(0, 400, cause=f"{NOT_MEASURED}: no answer yet")], []) == ()


@pytest.mark.parametrize(("seconds", "breaches"), [(1.0, 0), (1.01, 1)])
def test_more_than_a_second_at_once_is_too_much(seconds: float, breaches: int) -> None:
    found = find_breaches([gap(0, seconds)], [])
    assert [b.limit for b in found] == [InterruptionLimit.SWITCH] * breaches


@pytest.mark.parametrize(
    ("gaps", "said"),
    [
        (
            [gap(0, 0.3, limit_seconds=0.2)],
            "0.3 s at once, 0.2 s is allowed, as its VNF says",
        ),
        (
            [gap(0, 0.1, limit_seconds=0.0)],
            "0.1 s at once, 0 s is allowed, as its VNF says",
        ),
        ([gap(0, 90, limit_seconds=120.0)], None),
        # what the VNF bore then counts for each
        (
            [gap(0, 1.5, limit_seconds=2.0), gap(5, 1.2)],
            "1.2 s at once, 1 s is allowed",
        ),
        ([gap(0, 0.3, limit_seconds=0.2, cause=NOT_MEASURED)], None),
    ],
)
def test_what_a_vnf_says_that_it_bears_takes_the_place_of_the_second(
    gaps: list[Gap], said: str | None
) -> None:
    found = [str(breach) for breach in find_breaches(gaps, [])]
    assert found == ([] if said is None else [f"sbc was interrupted for {said}"])


def test_more_than_five_minutes_in_a_year_are_too_much() -> None:
    earlier = [gap(-1000 * n, 0.9) for n in range(1, 335)]
    now = gap()
    assert find_breaches([now], [*earlier[:-2], now]) == ()
    (breach,) = find_breaches([now], [*earlier, now])
    assert breach.limit is InterruptionLimit.YEAR
    assert "sbc was interrupted for 300.9 s within a year, 300 s is allowed" in str(breach)


def test_a_group_that_the_run_did_not_interrupt_is_no_breach_of_its() -> None:
    assert find_breaches([gap()], [gap(), gap(-5, 900, group="web")]) == ()
    assert find_breaches([], [gap(0, 900)]) == ()


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=8))
def test_the_sum_is_the_number_of_seconds_in_which_any_gap_was(spans: list[tuple[int, int]]) -> None:
    within = {second for start, length in spans for second in range(start, start + length)}
    summed = sum_gaps(gap(start, length) for start, length in spans)
    assert sum(found.sum_seconds for found in summed) == len(within)
