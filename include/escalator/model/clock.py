"""The clock that the edges of the program hand to what needs the time."""

from __future__ import annotations

from datetime import UTC, datetime


def utcnow() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)
