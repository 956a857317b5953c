"""The timeline: where on a line from 0 to 100 each attempt at a step lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from escalator.reports.formatting import format_duration

LEAST_PERCENT = 0.25
"""Width under which a bar could not be seen."""
_TICKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One attempt at a step; ``left`` and ``width`` in percent of the whole time."""

    step: str
    left: float
    width: float
    words: str
    bad: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The bars of one node."""

    host: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The rows of all nodes that were worked on, and the words below the line, with their places."""

    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, str], ...]


def lay_out(document: Mapping[str, Any]) -> Timeline:
    """Lay out the attempts of a report from its start to its end."""
    start = datetime.fromisoformat(document["started"])
    total = (datetime.fromisoformat(document["ended"]) - start).total_seconds()
    if total <= 0:
        return Timeline(rows=(), ticks=())
    rows = tuple(Row(host=node["host"], bars=_bars(node, start, total)) for node in document["nodes"])
    ticks = tuple((100 * n / _TICKS, format_duration(total * n / _TICKS)) for n in range(_TICKS + 1))
    return Timeline(rows=tuple(row for row in rows if row.bars), ticks=ticks)


def _bars(node: Mapping[str, Any], start: datetime, total: float) -> tuple[Bar, ...]:
    return tuple(
        _bar(step["step"], run, start, total)
        for step in node["steps"]
        for run in step["runs"]
        if run["ended"] is not None
    )


def _bar(step: str, run: Mapping[str, Any], start: datetime, total: float) -> Bar:
    begin = (datetime.fromisoformat(run["started"]) - start).total_seconds()
    end = (datetime.fromisoformat(run["ended"]) - start).total_seconds()
    left = min(100.0 - LEAST_PERCENT, max(0.0, 100 * begin / total))
    width = min(100.0 - left, max(LEAST_PERCENT, 100 * (end - begin) / total))
    words = f"{step}: {format_duration(max(0.0, end - begin))}, {run['result']}"
    return Bar(
        step=step,
        left=round(left, 3),
        width=round(width, 3),
        words=words,
        bad=run["result"] in {"held", "failed"},
    )
