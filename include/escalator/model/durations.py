"""Durations: how long the steps of a node take, learnt or assumed, and what that is learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from escalator.model.step import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Half of all runs took at most ``p50`` seconds, nine in ten at most ``p90``."""

    p50: float
    p90: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """Seconds that the steps of a node take, and what one move of a server takes.

    The time of a move is ``move_fixed_seconds`` + ``move_seconds_per_gib`` x memory; ``moves_at_once`` of
    them go on at the same time from one node. Migrate is not among the steps: it is the sum of its moves.

    :ivar samples: nodes that the figures were learnt from; 0 means that they are defaults.
    """

    steps: Mapping[Step, Quantiles] = field(default_factory=dict)
    move_fixed_seconds: float = 8.0
    move_seconds_per_gib: float = 1.07
    moves_at_once: int = 1
    samples: int = 0

    def of(self, step: Step) -> Quantiles:
        """Return a step's quantiles; nothing for a step that has none."""
        return self.steps.get(step, Quantiles(p50=0.0, p90=0.0))

    def move_seconds(self, memory_mib: int) -> float:
        """Return how long the move of a server of that much memory takes."""
        return self.move_fixed_seconds + self.move_seconds_per_gib * memory_mib / 1024


DEFAULT_DURATIONS = Durations(
    steps=MappingProxyType(
        {
            Step.PRECHECK: Quantiles(p50=3.0, p90=10.0),
            Step.SWITCHOVER: Quantiles(p50=1.0, p90=5.0),
            Step.UPGRADE: Quantiles(p50=120.0, p90=300.0),
            Step.VERIFY: Quantiles(p50=10.0, p90=60.0),
            Step.RELEASE: Quantiles(p50=2.0, p90=10.0),
        }
    ),
    moves_at_once=4,
)
"""What is assumed before a campaign has taught better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveSample:
    """One move of a server that arrived: its memory (MiB) and how long it took (s)."""

    memory_mib: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What finished campaigns recorded, newest first: seconds of each step that ended well, and the moves.

    :ivar nodes: nodes that they come from.
    """

    steps: Mapping[Step, Sequence[float]] = field(default_factory=dict)
    moves: Sequence[MoveSample] = ()
    nodes: int = 0
