from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from escalator.cloud_manager.listing import (
    FURTHEST_BACK,
    MARGIN,
    MOST_SKEW,
    WHOLE_AFTER,
    Listing,
    find_doubt,
)

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def listing(*, read_at: datetime = NOW, newest: datetime | None = NOW, whole_at: datetime = NOW) -> Listing:
    return Listing(servers={}, migrations={}, read_at=read_at, newest=newest, whole_at=whole_at)


@pytest.mark.parametrize(
    ("newest", "since"),
    [
        (NOW, NOW),
        (None, NOW),
        (NOW + timedelta(hours=9), NOW),
        (NOW - timedelta(minutes=8), NOW - timedelta(minutes=8)),
        (NOW - timedelta(days=9), NOW - FURTHEST_BACK),
    ],
    ids=["now", "nothing changed", "a clock ahead", "a clock behind", "long ago"],
)
def test_changes_are_asked_for_from_the_slowest_clock_on(newest: datetime | None, since: datetime) -> None:
    assert listing(newest=newest).since == since - MARGIN


def test_a_listing_that_is_brought_up_to_date_leaves_no_doubt() -> None:
    assert find_doubt(listing(), NOW, NOW) is None


@pytest.mark.parametrize(
    ("found", "now", "nova_now", "why"),
    [
        (None, NOW, NOW, "none yet"),
        (listing(), NOW, None, "no date"),
        (listing(), NOW, NOW + MOST_SKEW + SECOND, "61 s from ours"),
        (listing(), NOW, NOW - MOST_SKEW - SECOND, "-61 s from ours"),
        (listing(read_at=NOW + MOST_SKEW + SECOND), NOW, NOW, "future"),
        (listing(whole_at=NOW - WHOLE_AFTER - SECOND), NOW, NOW, "old"),
    ],
)
def test_what_is_doubtful_is_listed_whole(
    found: Listing | None, now: datetime, nova_now: datetime | None, why: str
) -> None:
    assert why in str(find_doubt(found, now, nova_now))
