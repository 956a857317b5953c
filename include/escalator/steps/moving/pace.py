"""The pace of a drain: how many servers move at once, and how often Nova is asked."""

from __future__ import annotations

from dataclasses import dataclass

_SHARE_OF_AGE = 3
"""A move is seen to have ended at most a third of its time late."""
LONGEST_GAP_SECONDS = 60.0
"""Nova is asked at least so often, however long a move takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainPace:
    """How many servers move at once, and how often Nova is asked.

    Nova is asked first when the earliest of the moves that were begun may have ended, which is ``slowness``
    times what is expected of the smallest: what this campaign's moves took, so far. Later polls come further
    and further apart, so that a long move costs few of them and is seen to have ended soon for its length.

    :ivar at_once: moves under way from one node; Nova queues live migrations beyond its own limit.
    """

    at_once: int = 8
    slowness: float = 1.0
    margin_seconds: float = 0.7
    poll_seconds: float = 3.0

    def first_poll(self, expected_seconds: float) -> float:
        """Return the seconds from the requests to the first poll, a minute at most.

        :param expected_seconds: of the shortest of the moves.
        """
        return min(self.slowness * expected_seconds + self.margin_seconds, LONGEST_GAP_SECONDS)

    def next_poll(self, age_seconds: float) -> float:
        """Return the seconds from one poll to the next.

        :param age_seconds: since the newest request.
        """
        return max(self.poll_seconds, min(age_seconds / _SHARE_OF_AGE, LONGEST_GAP_SECONDS))
