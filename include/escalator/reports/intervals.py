"""Arithmetic over spans of time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple


class Interval(NamedTuple):
    """A span of time, from its start up to its end."""

    start: datetime
    end: datetime


def unite(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Return the same time as spans that do not overlap, in order; spans without length vanish."""
    merged: list[Interval] = []
    for interval in sorted(i for i in intervals if i.end > i.start):
        if merged and interval.start <= merged[-1].end:
            last = merged.pop()
            merged.append(Interval(last.start, max(last.end, interval.end)))
        else:
            merged.append(interval)
    return tuple(merged)


def cut_to(intervals: Iterable[Interval], windows: Iterable[Interval]) -> tuple[Interval, ...]:
    """Return the part of the spans that lies in the windows."""
    clear = unite(windows)
    cut = (
        Interval(max(one.start, window.start), min(one.end, window.end))
        for one in unite(intervals)
        for window in clear
    )
    return unite(cut)


def sum_seconds(intervals: Iterable[Interval]) -> float:
    """Return the length of the spans in seconds; time that several cover counts once."""
    total = sum((i.end - i.start for i in unite(intervals)), timedelta())
    return total.total_seconds()
