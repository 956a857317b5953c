"""Values of a report as people read them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

NONE = "-"
_MINUTE = 60
_HOUR = 3600
_MARKDOWN = str.maketrans({c: f"\\{c}" for c in "\\`*[]|"} | {"<": "&lt;"})
_QUOTE = ">"


def format_plain(value: object) -> str:
    """Write any value on one line, without characters that steer a terminal or turn the text round."""
    if value is None or value == "":
        return NONE
    text = "".join(" " if c.isspace() else c for c in str(value))
    return "".join(c for c in text if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn"})


def format_markdown(value: object) -> str:
    """Write any value as the text of a Markdown table's cell: no mark-up of its own.

    A ``>`` marks nothing but at the beginning of a line: arrows stay as they are.
    """
    text = format_plain(value).translate(_MARKDOWN)
    return f"\\{text}" if text.startswith(_QUOTE) else text


def format_duration(seconds: float | None) -> str:
    """Write seconds as ``12.3 s``, ``4 min 05 s`` or ``2 h 07 min``."""
    if seconds is None:
        return NONE
    if seconds < _MINUTE - 0.05:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"


def format_milliseconds(value: float | None, note: str | None = None) -> str:
    """Write milliseconds, or the note why there are none."""
    return f"{value:.0f} ms" if value is not None else note or NONE


def format_moment(text: str | None) -> str:
    """Write an ISO time as ``2026-11-22 08:00:00 UTC``."""
    if text is None:
        return NONE
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def make_markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a Markdown table whose columns also line up in a terminal."""
    cells = [[format_markdown(cell) for cell in row] for row in rows]
    columns = list(zip(header, *cells, strict=True))
    widths = [max(3, *(_width(cell) for cell in column)) for column in columns]
    lines = [header, ["-" * width for width in widths], *cells]
    return "\n".join(
        "| " + " | ".join(c + " " * (w - _width(c)) for c, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def _width(text: str) -> int:
    """Return the columns that a text takes in a terminal."""
    return sum((unicodedata.east_asian_width(c) in "WF") + (not unicodedata.combining(c)) for c in text)
