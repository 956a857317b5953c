"""The rhythm of a probe, and what follows from it: what is a gap, when an answer is given up."""

from __future__ import annotations

import os
from dataclasses import dataclass

from escalator.model.errors import InvalidRequestError

VARIABLE = "ESCALATOR_PROBE_HZ"
"""Environment variable: how often each address is asked in a second."""
SLOWEST_HZ, FASTEST_HZ = 1.0, 50.0
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


def read_rhythm() -> Rhythm:
    """Read how often addresses are asked; ten times a second when nothing is said.

    :raises InvalidRequestError: the variable is no number from 1 to 50.
    """
    said = os.environ.get(VARIABLE) or str(DEFAULT_HZ)
    try:
        hz = float(said)
    except ValueError:
        hz = 0.0
    if not SLOWEST_HZ <= hz <= FASTEST_HZ:
        raise InvalidRequestError(
            f"{VARIABLE} is {said!r}: it must be a number from {SLOWEST_HZ:g} to {FASTEST_HZ:g}",
            remedy="correct it where the triggerer starts, or leave it out",
        )
    return Rhythm(period_seconds=1 / hz)
