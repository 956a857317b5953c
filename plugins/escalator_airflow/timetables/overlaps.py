"""Where a cron rule opens windows that would overlap: asked of two years of ticks, and of every clock change.

Ticks are slow to compute (half a millisecond each), and a DAG file is read for every task. So the rule is
looked at as numbers first: most windows are far apart on any day, and no tick of theirs is computed at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo

from croniter import croniter

FIRST_DAY = date(2026, 12, 1)
DAYS = 2 * 365 + 62
"""An ordinary year and a leap year, with the New Year's Eves around them."""
DAY_MINUTES = 24 * 60
_CLOCK_CHANGE = timedelta(hours=3)
"""More than any clock is changed by at once."""
Tick = datetime


def find_overlap(
    rule: str, zone: tzinfo, length: timedelta, next_tick: Callable[[Tick], Tick]
) -> tuple[Tick, Tick] | None:
    """Return the first two ticks that are less than a window apart; None: there are none.

    :param rule: cron rule of five fields.
    :param zone: in which it is read.
    :param length: of a window.
    :param next_tick: the first tick after a time (aware).
    """
    times = _times_of_day(rule)
    inner = [timedelta(minutes=b - a) for a, b in itertools.pairwise(times)]
    over_night = timedelta(minutes=DAY_MINUTES + times[0] - times[-1])
    if length + _CLOCK_CHANGE <= min([*inner, over_night]):
        return None
    days = _days(rule, times[0])
    for start, end in _places(days, inner, over_night, length, times):
        found = _scan(start.replace(tzinfo=zone), end.replace(tzinfo=zone), length, next_tick)
        if found:
            return found
    for change in _clock_changes(zone):
        around = length + _CLOCK_CHANGE
        found = _scan(change - around, change + around, length, next_tick)
        if found:
            return found
    return None


def _times_of_day(rule: str) -> list[int]:
    """Return at which minutes of a day the rule ticks, in order."""
    minutes, hours, *_ = croniter(rule).expanded
    return sorted(
        hour * 60 + minute
        for hour in (range(24) if "*" in hours else hours)
        for minute in (range(60) if "*" in minutes else minutes)
    )


def _days(rule: str, first_minute: int) -> list[date]:
    """Return the days on which the rule ticks."""
    hour, minute = divmod(first_minute, 60)
    once_a_day = " ".join([str(minute), str(hour), *rule.split()[2:]])
    ticks = croniter(once_a_day, datetime.combine(FIRST_DAY, datetime.min.time()) - timedelta(minutes=1))
    end = FIRST_DAY + timedelta(days=DAYS)
    days = (ticks.get_next(datetime).date() for _ in itertools.count())
    return list(itertools.takewhile(lambda day: day < end, days))


def _places(
    days: list[date], inner: list[timedelta], over_night: timedelta, length: timedelta, times: list[int]
) -> Iterator[tuple[datetime, datetime]]:
    """Yield where, by the clock on the wall, two ticks are too near: from the one to after the other."""
    midnight = datetime.min.time()
    if days and min(inner, default=length) < length:
        yield datetime.combine(days[0], midnight), datetime.combine(days[0], midnight) + timedelta(days=1)
    for day, following in itertools.pairwise(days):
        if following - day - timedelta(days=1) + over_night < length:
            last = datetime.combine(day, midnight) + timedelta(minutes=times[-1])
            yield last, last + length


def _clock_changes(zone: tzinfo) -> Iterator[datetime]:
    """Yield the hours in which the clock of a zone is changed."""

    def is_changed(start: datetime, hours: int) -> bool:
        after = (start + timedelta(hours=hours)).astimezone(zone)
        return start.astimezone(zone).utcoffset() != after.utcoffset()

    first = datetime.combine(FIRST_DAY, datetime.min.time(), UTC)
    for day in (first + timedelta(days=number) for number in range(DAYS)):
        if is_changed(day, 24):
            hours = (day + timedelta(hours=number) for number in range(24))
            yield from (hour for hour in hours if is_changed(hour, 1))


def _scan(
    start: Tick, end: Tick, length: timedelta, next_tick: Callable[[Tick], Tick]
) -> tuple[Tick, Tick] | None:
    """Compare the ticks between two times."""
    tick = next_tick(start - timedelta(minutes=1))
    while tick < end:
        following = next_tick(tick)
        if following - tick < length:
            return tick, following
        tick = following
    return None
