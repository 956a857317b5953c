"""Moments that documents may name: none so far away that reckoning with it would fail."""

from __future__ import annotations

from datetime import UTC, datetime

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Near the years 1 and 9999 a moment has no UTC, and nothing can be added to it."""
WITHIN = f"between {EARLIEST.year} and {LATEST.year}"


def is_near(moment: datetime) -> bool:
    """Tell whether a moment (aware) can be reckoned with."""
    return EARLIEST <= moment < LATEST
