from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from tests.builders import NOW

from escalator.ledger.gap_book import GapBook
from escalator.ledger.ledger import Ledger
from escalator.model.errors import InvalidRequestError
from escalator.model.interruption import Gap, ProbeMethod

GAP = Gap(
    cloud="lab",
    campaign="upgrade__lab",
    run_id="run-1",
    host="node-01",
    group="sbc",
    address="192.0.2.10:5060",
    method=ProbeMethod.TCP,
    started_at=NOW + timedelta(microseconds=7),
    seconds=0.31,
    cause="connection refused",
)


@pytest.fixture
def book(ledger: Ledger) -> GapBook:
    return ledger.gaps()


def test_a_gap_comes_back_exactly(book: GapBook) -> None:
    book.record(GAP)
    assert book.of_run("upgrade__lab", "run-1") == (GAP,)
    assert book.of_run("upgrade__lab", "run-2") == ()


def test_a_gap_is_recorded_once_and_its_longest_record_stays(book: GapBook) -> None:
    elsewhere = GAP.started_at.astimezone(timezone(timedelta(hours=5)))
    longer = replace(GAP, seconds=2.5, cause="timed out", started_at=elsewhere)
    for gap in (GAP, GAP, longer, replace(GAP, seconds=1.0)):
        book.record(gap)
    assert book.of_run("upgrade__lab", "run-1") == (longer,)


@pytest.mark.parametrize(
    "change",
    [
        {"campaign": "other"},
        {"run_id": "run-2"},
        {"address": "192.0.2.11:5060"},
        {"started_at": NOW + timedelta(microseconds=8)},
    ],
)
def test_what_tells_gaps_apart_makes_another_one(book: GapBook, change: dict[str, object]) -> None:
    other = replace(GAP, **change)  # type: ignore[arg-type]
    book.record(GAP)
    book.record(other)
    assert set(book.since("lab", NOW)) == {GAP, other}


def test_the_gaps_of_a_cloud_are_those_that_began_since(book: GapBook) -> None:
    gaps = [replace(GAP, started_at=NOW + timedelta(days=day)) for day in (2, 0, 1)]
    for gap in [*gaps, replace(GAP, cloud="other", run_id="run-2")]:
        book.record(gap)
    assert book.since("lab", NOW) == (gaps[1], gaps[2], gaps[0])
    assert book.since("lab", NOW + timedelta(days=1)) == (gaps[2], gaps[0])
    assert book.since("lab", NOW + timedelta(days=3)) == ()


def test_a_naive_time_is_refused(book: GapBook) -> None:
    with pytest.raises(InvalidRequestError, match="no zone"):
        book.record(replace(GAP, started_at=NOW.replace(tzinfo=None)))
