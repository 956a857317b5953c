"""Stops: servers that stay on a node and do not run while it is upgraded, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

RUNNING = "running"
"""Nova's power state of a guest that runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStop:
    """A server that must not run while its node is upgraded.

    :ivar rank: its place among the members of its HA group on the node: the lowest starts first and stops
        last; one without a group has 0.
    :ivar why: what keeps it on the node, in words.
    :ivar unmovable: it cannot be moved; else it stays as its service is elsewhere, and could be moved.
    """

    server_id: str
    server_name: str
    ha_group: str | None = None
    rank: int = 0
    why: str = ""
    unmovable: bool = True


class StopEnd(StrEnum):
    """How a stop ended: it runs again, its owner acted, it is gone, or it never was ours to stop."""

    RUNS = "runs"
    BY_OWNER = "by_owner"
    GONE = "gone"
    NOT_OURS = "not_ours"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStop:
    """A server that ran before its node was upgraded, as the ledger has it. Times are aware.

    :ivar power_state: Nova's, when it was written down.
    :ivar noted_at: when it was written down, before the first server of the node was stopped.
    :ivar asked_at: when Nova was about to be asked to stop it; None: it was not, so it is not ours to start.
    :ivar stopped_at: when it was seen shut off.
    :ivar ended_at: when it was seen to run again, or that nothing more is to be done; None: it is open.
    :ivar fault: why it could not be started, in words; a later attempt may mend it.
    """

    server_id: str
    server_name: str
    power_state: str
    noted_at: datetime
    ha_group: str | None = None
    rank: int = 0
    asked_at: datetime | None = None
    stopped_at: datetime | None = None
    ended_at: datetime | None = None
    end: StopEnd | None = None
    fault: str = ""

    @property
    def is_open(self) -> bool:
        """Tell whether it may still have to be stopped or started."""
        return self.ended_at is None

    @property
    def is_down(self) -> bool:
        """Tell whether it is ours to start: Nova was asked to stop it, and it does not run again yet."""
        return self.is_open and self.asked_at is not None

    @property
    def silent_seconds(self) -> float | None:
        """Return for how long it did not run by our doing (s); None: it was not stopped, or is down still."""
        if self.asked_at is None or self.ended_at is None or self.end is StopEnd.NOT_OURS:
            return None
        return max(0.0, (self.ended_at - self.asked_at).total_seconds())
