"""The rhythm of a probe, and what follows from it: what is a gap, when an answer is given up."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_HZ = 10.0
_GAP_PERIODS = 1.5
"""From so many periods without a good answer on there is a gap: one lost answer makes two."""
_BEATS = 5
"""Looks at our own clock in a period."""
_TIMEOUT_PERIODS = 5.0
_LONGEST_TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often a probe asks."""

    period_seconds: float = 1 / DEFAULT_HZ

    @property
    def gap_seconds(self) -> float:
        """Return how long there must have been no good answer to speak of a gap."""
        return _GAP_PERIODS * self.period_seconds

    @property
    def beat_seconds(self) -> float:
        """Return how often the probes look at their own clock, to know when they stood still themselves."""
        return self.period_seconds / _BEATS

    @property
    def timeout_seconds(self) -> float:
        """Return how long one probe waits for its answer; the next ones do not wait for it."""
        return min(_LONGEST_TIMEOUT_SECONDS, _TIMEOUT_PERIODS * self.period_seconds)
