"""Wording: what messages of every kind say in the same way."""

from __future__ import annotations

from collections.abc import Sequence

_NAMED = 5
"""Hosts or servers that a message names one by one."""


def name_some(words: Sequence[str]) -> str:
    """Name the first few of some hosts or servers, and say how many more there are."""
    more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return ", ".join(words[:_NAMED]) + more
