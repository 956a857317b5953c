"""Expectations: how long a node is out, from what was learnt of its steps and what its servers weigh."""

from __future__ import annotations

from collections.abc import Iterable

from escalator.model.cloud import Server
from escalator.model.durations import Durations, Quantiles
from escalator.upgrade_manager.state.capacity import MEMORY

_SLOW_MOVE = 1.5
"""How much longer than expected the moves of nine nodes in ten take at most."""


def estimate_node_seconds(moving: Iterable[Server], expected: Durations) -> Quantiles:
    """Return how long a node is out from which these servers move (s): its steps, the moves side by side."""
    moves = sum(expected.move_seconds(s.resources.get(MEMORY, 0)) for s in moving) / expected.moves_at_once
    return Quantiles(
        p50=moves + sum(q.p50 for q in expected.steps.values()),
        p90=moves * _SLOW_MOVE + sum(q.p90 for q in expected.steps.values()),
    )
