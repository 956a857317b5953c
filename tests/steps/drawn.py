"""How many lives a property draws."""

from __future__ import annotations

import os

from hypothesis import settings

TIMES = int(os.environ.get("ESCALATOR_DRAWN_TIMES", "1"))
"""``make proof`` draws ten times as many as ``make test``."""


def draw(usual: int) -> settings:
    """Return settings that draw so many examples, or a multiple of it in a proof."""
    return settings(max_examples=usual * TIMES, deadline=None, derandomize=True)
