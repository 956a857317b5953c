"""Interruptions of guests, measured by the hypervisors' own event logs.

A log has one JSON object a line: ``{"t": seconds since the epoch, "guest": server id, "event": word, ...}``.
A gap begins with ``paused``, ``stopped`` or ``silent`` and ends with ``resumed``, ``started``, ``running`` or
``answering`` of the same guest; ``silent`` and ``answering`` are the words of a watch from outside.
What its owner asked for (``by`` is neither absent nor a migration) is no interruption of ours.
"""

from __future__ import annotations

import glob
import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

log = logging.getLogger("escalator.reports.interruptions")

VARIABLE = "ESCALATOR_GUEST_EVENTS"
"""Environment variable: patterns of the logs' paths, separated as in PATH."""
_LATEST = 1e11
"""Times from here on (the year 5138) are no times."""
_BEGINS = frozenset({"paused", "stopped", "silent"})
_ENDS = frozenset({"resumed", "started", "running", "answering"})
_OURS = frozenset({None, "live-migration", "cold-migration"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestEvent:
    """One event of one guest; ``t`` in seconds since the epoch, ``by`` who caused it."""

    t: float
    guest: str
    event: str
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestEvents:
    """The events of all guests, each guest's in the order of time, and how many lines were unreadable."""

    by_guest: Mapping[str, tuple[GuestEvent, ...]] = field(default_factory=dict)
    unreadable_lines: int = 0

    @classmethod
    def of(cls, events: Iterable[GuestEvent], *, unreadable_lines: int = 0) -> GuestEvents:
        """Sort events by guest and time; events of the same moment keep their order."""
        by_guest: dict[str, list[GuestEvent]] = {}
        for event in sorted(events, key=lambda e: e.t):
            by_guest.setdefault(event.guest, []).append(event)
        return cls(
            by_guest={guest: tuple(own) for guest, own in by_guest.items()},
            unreadable_lines=unreadable_lines,
        )

    def longest_gap_ms(self, guest: str, start: datetime, end: datetime) -> float | None:
        """Return the longest gap that began in the window, in milliseconds.

        A gap whose end is not on record lasts to the end of the window at least, and as long as other guests
        are on record: better too long than hidden.

        :param guest: id of the server.
        :param start: of the window, aware; ``end`` likewise.
        :return: 0.0 when the guest was watched and had no gap; None when nothing of it is on record.
        """
        own = self.by_guest.get(guest, ())
        first, last = start.timestamp(), end.timestamp()
        if not any(first <= event.t <= last for event in own):
            return None
        longest = 0.0
        for index, event in enumerate(own):
            if first <= event.t <= last and event.event in _BEGINS and event.by in _OURS:
                longest = max(longest, self._end_of_gap(own[index + 1 :], last) - event.t)
        return round(longest * 1000, 3)

    def _end_of_gap(self, later: Sequence[GuestEvent], last: float) -> float:
        """Return when a gap ends, looking at the events of its guest after its begin."""
        for event in later:
            if event.event in _ENDS:
                return event.t
            if event.event in _BEGINS:
                return last
        return max(last, *(own[-1].t for own in self.by_guest.values()))


def read_guest_events(patterns: str | None = None) -> GuestEvents:
    """Read the logs that the patterns name; cut and foreign lines are skipped and counted.

    :param patterns: paths with wildcards, separated as in PATH; by default those of ESCALATOR_GUEST_EVENTS.
    :return: no events at all when nothing is named or found.
    """
    wanted = os.environ.get(VARIABLE, "") if patterns is None else patterns
    events: list[GuestEvent] = []
    unreadable = 0
    for path in _paths(wanted):
        try:
            text = path.read_bytes().decode(errors="replace")
        except OSError as exc:
            log.warning("guest events of %s cannot be read: %s", path, exc)
            continue
        for line in filter(str.strip, text.split("\n")):
            event = _parse(line)
            if event is None:
                unreadable += 1
            else:
                events.append(event)
    return GuestEvents.of(events, unreadable_lines=unreadable)


def _paths(patterns: str) -> tuple[Path, ...]:
    named = (glob.glob(p, recursive=True) for p in patterns.split(os.pathsep) if p)  # noqa: PTH207 absolute patterns
    return tuple(sorted({Path(path) for paths in named for path in paths}))


def _parse(line: str) -> GuestEvent | None:
    """Read one line; None when it is cut, or no event."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    t, guest, event, by = (record.get(key) for key in ("t", "guest", "event", "by"))
    if isinstance(t, bool) or not isinstance(t, int | float) or not 0 <= t < _LATEST:
        return None
    if not isinstance(guest, str) or not isinstance(event, str):
        return None
    return GuestEvent(t=float(t), guest=guest, event=event, by=by if isinstance(by, str) else None)
