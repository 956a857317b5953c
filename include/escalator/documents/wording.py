"""How messages show a value of a document, and the word that was perhaps meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache

LONGEST = 60
"""Characters that a message shows of a value."""


def show_value(value: object) -> str:
    """Write a value as the author of a document knows it, short enough for a message."""
    if isinstance(value, bool | None):
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, str):
        return repr(value if len(value) <= LONGEST else f"{value[:LONGEST]}...")
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else f"a {type(value).__name__}"


def show_name(value: object) -> str:
    """Write a name plainly where it is short and printable, and any other value as messages show values."""
    is_plain = isinstance(value, str) and value.isprintable() and 0 < len(value) <= LONGEST
    return str(value) if is_plain else show_value(value)


def hint_at_quotes(value: object) -> str:
    """Return ``: put it in quotes`` for what YAML takes for something else than text, else nothing."""
    return ": put it in quotes" if isinstance(value, int | float | date) else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``, did you mean X?`` when a known word is near, else nothing."""
    near = _find_nearest(word[:LONGEST], tuple(sorted(known)))
    return f", did you mean {near}?" if near else ""


@lru_cache(maxsize=32)  # thousands of items may have the same fault
def _find_nearest(word: str, known: tuple[str, ...]) -> str | None:
    return next(iter(difflib.get_close_matches(word, known, n=1)), None)


def _number(value: float) -> str:
    """Write a number; one of more digits than a message has room for is only called large."""
    if isinstance(value, int) and abs(value) >= 10**LONGEST:
        return "a very large number"
    return str(value)
