"""Durations: how long steps and moves take, by what earlier campaigns took, and how long a node is out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from statistics import median

from escalator.model.bundle import Bundle
from escalator.model.cloud import Server
from escalator.model.durations import DEFAULT_DURATIONS, Durations, History, MoveSample, Quantiles
from escalator.model.procedure import Stage
from escalator.model.step import Step
from escalator.upgrade_manager.state.capacity import MEMORY

LEAST_SAMPLES = 5
"""With fewer finished steps of a kind, or fewer moves, the defaults hold."""
_MOST_MOVES = 200
"""So many of the newest moves are looked at: every pair of them is compared."""
_SLOW = 2.5
"""What nine steps in ten take at most, as a multiple of the median; assumed while nothing is learnt."""
_SLOW_MOVE = 1.5
"""What the moves of nine nodes in ten take at most, as a multiple of what is expected."""
_AFTER_A_COMMAND = 120.0
"""How much longer than the limit of a command its job may take (s): it is ended, and others were asked."""
_HANGS_AFTER = 4.0
"""A step counts as hung after so many times what nine in ten take."""


def learn(history: History, bundle: Bundle) -> Durations:
    """Return the expected durations: learnt where there are samples enough, else assumed.

    Before anything is learnt, an upgrade is taken to last as long as the bundle says, its reboot included.
    """
    assumed = {**DEFAULT_DURATIONS.steps, Step.UPGRADE: _told(bundle.expected_seconds)}
    learnt = {
        step: compute_quantiles(history.steps[step])
        for step in assumed
        if len(history.steps.get(step, ())) >= LEAST_SAMPLES
    }
    expected = replace(DEFAULT_DURATIONS, steps={**assumed, **learnt}, samples=history.nodes if learnt else 0)
    if len(history.moves) < LEAST_SAMPLES:
        return expected
    fixed, per_gib = _line(history.moves[:_MOST_MOVES])
    return replace(expected, move_fixed_seconds=fixed, move_seconds_per_gib=per_gib)


def compute_quantiles(samples: Sequence[float]) -> Quantiles:
    """Return the smallest samples that half, and nine in ten, do not exceed.

    :param samples: one at least, in any order.
    """
    ordered = sorted(samples)

    def find_at(share: float) -> float:
        return round(ordered[math.ceil(share * len(ordered)) - 1], 3)

    return Quantiles(p50=find_at(0.5), p90=find_at(0.9))


def estimate_drain_seconds(memories_mib: Sequence[int], expected: Durations) -> Quantiles:
    """Return how long it takes to move servers of so much memory each off a node (s), side by side.

    However many go at once, the longest of them is not over any sooner.
    """
    each = [expected.move_seconds(memory) for memory in memories_mib]
    moves = max(sum(each) / expected.moves_at_once, *each) if each else 0.0
    return Quantiles(p50=moves, p90=moves * _SLOW_MOVE)


def estimate_node_seconds(moving: Iterable[Server], expected: Durations) -> Quantiles:
    """Return how long a node is out (s): its steps, and the moves of these servers side by side."""
    moves = estimate_drain_seconds([s.resources.get(MEMORY, 0) for s in moving], expected)
    return Quantiles(
        p50=moves.p50 + sum(q.p50 for q in expected.steps.values()),
        p90=moves.p90 + sum(q.p90 for q in expected.steps.values()),
    )


def estimate_move_seconds(memory_mib: int, expected: Durations) -> Quantiles:
    """Return how long the move of a server of that much memory takes (s)."""
    seconds = expected.move_seconds(memory_mib)
    return Quantiles(p50=seconds, p90=seconds * _SLOW_MOVE)


def estimate_silent_seconds(expected: Durations) -> Quantiles:
    """Return for how long a server does not run that is stopped around the upgrade of its node (s)."""
    steps = (expected.of(Step.UPGRADE), expected.of(Step.VERIFY))
    return Quantiles(p50=sum(q.p50 for q in steps), p90=sum(q.p90 for q in steps))


def compute_step_limit_seconds(stage: Stage, expected: Durations) -> float:
    """Return after how many seconds a step hangs: several times what nine in ten take, never too soon."""
    longest = 0.9 * stage.last_resort_seconds  # so that the step can say itself that it hangs
    return min(longest, max(stage.hard_limit_seconds, _HANGS_AFTER * expected.of(stage.step).p90))


def compute_job_limit_seconds(bundle: Bundle, expected: Durations) -> float:
    """Return when the job that upgrades a node counts as hung (s): after its own limits and its waits."""
    learnt = expected.of(Step.UPGRADE).p90 if expected.samples else 0.0
    own = bundle.command_limit_seconds + _AFTER_A_COMMAND if bundle.command_limit_seconds else 0.0
    work = max(300.0, 5 * bundle.expected_upgrade_seconds, _HANGS_AFTER * learnt, own)
    return bundle.lock_seconds + work


def _told(seconds: float) -> Quantiles:
    return Quantiles(p50=seconds, p90=_SLOW * seconds)


def _line(moves: Sequence[MoveSample]) -> tuple[float, float]:
    """Fit seconds = fixed + per GiB x memory; a few moves that took far too long hardly matter.

    The slope is the median of the slopes of all pairs (Theil and Sen).
    """
    points = [(move.memory_mib / 1024, move.seconds) for move in moves]
    slopes = [(t2 - t1) / (m2 - m1) for (m1, t1), (m2, t2) in combinations(points, 2) if m1 != m2]
    slope = max(0.0, median(slopes)) if slopes else DEFAULT_DURATIONS.move_seconds_per_gib
    fixed = median(seconds - slope * gib for gib, seconds in points)
    if fixed < 0:  # through the origin: no move takes less than nothing
        fixed, slope = 0.0, median(seconds / gib for gib, seconds in points if gib > 0)
    return round(fixed, 3), round(slope, 3)
