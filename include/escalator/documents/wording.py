"""How messages show a value of a document, and the word that was perhaps meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import date

LONGEST = 60
"""Characters that a message shows of a value."""


def shown(value: object) -> str:
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


def hint_at_quotes(value: object) -> str:
    """Return ``: put it in quotes`` for what YAML takes for something else than text, else nothing."""
    return ": put it in quotes" if isinstance(value, int | float | date) else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``, did you mean X?`` when a known word is near, else nothing."""
    near = difflib.get_close_matches(word[:LONGEST], sorted(known), n=1)
    return f", did you mean {near[0]}?" if near else ""


def _number(value: float) -> str:
    """Write a number; one of more digits than a message has room for is only called large."""
    if isinstance(value, int) and abs(value) >= 10**LONGEST:
        return "a very large number"
    return str(value)
