"""Orders: what a person may order of a campaign that runs, and what was ordered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Verb(StrEnum):
    """What may be ordered, in the words of the command line, of REST and of the board.

    PAUSE: no node goes out until RESUME. STOP: none goes out any more in this run. SKIP: a node that waits is
    left out. HOLD: a node that waits is held until another run, one in flight at its next safe point.
    APPROVE: the campaign goes on after a node. ABORT_MOVES: live moves off a node are aborted, it is held.
    """

    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    SKIP = "skip"
    HOLD = "hold"
    APPROVE = "approve"
    ABORT_MOVES = "abort-moves"


OF_CAMPAIGN = frozenset({Verb.PAUSE, Verb.RESUME, Verb.STOP, Verb.APPROVE})
"""What may be ordered of a whole campaign."""
OF_NODE = frozenset({Verb.SKIP, Verb.HOLD, Verb.APPROVE, Verb.ABORT_MOVES})
"""What may be ordered of one node."""
ENDS_STAY = frozenset({Verb.HOLD, Verb.ABORT_MOVES})
"""What ends the stay of a node that is in flight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order of a person, as it is written down. Times are aware.

    :ivar id: later orders have higher ones.
    :ivar host: the node; None: the whole campaign.
    :ivar plan_hash: fingerprint of the plan that the run goes by, else its SHA-256.
    :ivar in_flight: the node was out under a lease when it was ordered.
    :ivar effective_at: when it took effect; None: it has not yet.
    :ivar effect: what follows from it, in words.
    """

    id: int
    verb: Verb
    host: str | None
    by: str
    at: datetime
    reason: str
    plan_hash: str
    in_flight: bool = False
    effective_at: datetime | None = None
    effect: str = ""

    def __str__(self) -> str:
        """Say who ordered what, when and why."""
        what = f"{self.verb} {self.host}" if self.host else str(self.verb)
        why = f": {self.reason}" if self.reason else ""
        return f"{self.by} ordered {what} at {self.at.isoformat(timespec='seconds')}{why}"
