"""Arithmetic over spans of time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple


class Interval(NamedTuple):
    """A span of time, from its start up to its end."""

    start: datetime
    end: datetime


def union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Return the same time as spans that do not overlap, in order; spans without length vanish."""
    merged: list[Interval] = []
    for interval in sorted(i for i in intervals if i.end > i.start):
        if merged and interval.start <= merged[-1].end:
            last = merged.pop()
            merged.append(Interval(last.start, max(last.end, interval.end)))
        else:
            merged.append(interval)
    return tuple(merged)


def within(intervals: Iterable[Interval], windows: Iterable[Interval]) -> tuple[Interval, ...]:
    """Return the part of the spans that lies in the windows."""
    clear = union(windows)
    cut = (
        Interval(max(one.start, window.start), min(one.end, window.end))
        for one in union(intervals)
        for window in clear
    )
    return union(cut)


def seconds_of(intervals: Iterable[Interval]) -> float:
    """Return the length of the spans in seconds; time that several cover counts once."""
    total = sum((i.end - i.start for i in union(intervals)), timedelta())
    return total.total_seconds()
