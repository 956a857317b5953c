"""Times and spans as the pages say them."""

from __future__ import annotations

from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def say_span(seconds: float | None) -> str:
    """Say how long: ``45 s``, ``12 min``, ``2 h 05 min``, ``3 d 4 h``; nothing for None."""
    if seconds is None:
        return ""
    whole = max(0, round(seconds))
    if whole < 2 * _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def say_gap(seconds: float | None) -> str:
    """Say how long a service was away: ``281 ms``, ``1.30 s``, ``4 min``."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < _MINUTE else say_span(seconds)


def say_time(moment: datetime | None, now: datetime) -> str:
    """Say when, in UTC: ``04:10``, on another day ``30 Nov 04:10``; nothing for None."""
    if moment is None:
        return ""
    there, here = moment.astimezone(UTC), now.astimezone(UTC)
    return there.strftime("%H:%M" if there.date() == here.date() else "%d %b %H:%M")
