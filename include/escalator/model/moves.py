"""Moves of servers: what is planned for each, and what happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from escalator.model.stops import PlannedStop
from escalator.model.verdict import Code, Verdict


class MoveMethod(StrEnum):
    """How a server leaves its node; standby: live, to stand by on an upgraded node before it takes over."""

    LIVE = "live"
    COLD = "cold"
    STANDBY = "standby"

    @property
    def is_live(self) -> bool:
        """Tell whether it is a live migration of Nova's."""
        return self is not MoveMethod.COLD


class FailureAction(StrEnum):
    """What to do with a server whose move did not succeed."""

    RETRY_ELSEWHERE = "retry_elsewhere"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMove:
    """One server's move: its method and the destinations to try, best first.

    :ivar vm_state: in which it was when this was planned; in another one it is planned anew. Empty: any.
    """

    server_id: str
    server_name: str
    method: MoveMethod
    destinations: tuple[str, ...]
    memory_mib: int = 0
    vm_state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyMove:
    """The move of a standby that is about to be asked for, from one node in service to another.

    :ivar asked_at: when it was written down (aware); :ivar after_id: the newest migration of the server then.
    """

    server_id: str
    server_name: str
    source: str
    destination: str
    memory_mib: int
    asked_at: datetime
    after_id: int

    @property
    def move(self) -> PlannedMove:
        """Return it as a drain makes it."""
        return PlannedMove(
            server_id=self.server_id,
            server_name=self.server_name,
            method=MoveMethod.STANDBY,
            destinations=(self.destination,),
            memory_mib=self.memory_mib,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What was agreed about the servers of a node before it is drained, by their ids.

    :ivar stays: they stay on the node: their service was switched away, or their manager acts itself.
    :ivar leaves: they are moved, be they members of an HA group or not: they are still loaded.
    :ivar cold: those of ``leaves`` that are moved cold, as their manager asked for it.
    """

    stays: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    cold: tuple[str, ...] = ()


NO_AGREEMENT = Agreement()


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainPlan:
    """How a node is emptied: the moves, in order, and the findings about every server.

    :ivar staying: ids of the servers that stay: members of HA groups, what was agreed on, and ``stopping``.
    :ivar stopping: those of them that must not run while the node is upgraded, in the order of their start.
    """

    host: str
    moves: tuple[PlannedMove, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    staying: tuple[str, ...] = ()
    stopping: tuple[PlannedStop, ...] = ()

    @property
    def undisturbed(self) -> tuple[str, ...]:
        """Return the ids of the servers that stay and go on as they are."""
        resting = {stop.server_id for stop in self.stopping}
        return tuple(server_id for server_id in self.staying if server_id not in resting)

    @property
    def unmovable(self) -> frozenset[str]:
        """Return the ids of the servers that are stopped as they cannot be moved."""
        return frozenset(stop.server_id for stop in self.stopping if stop.unmovable)

    @property
    def feasible(self) -> bool:
        """Tell whether no finding blocks the drain."""
        return not any(v.blocks for v in self.verdicts)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRecord:
    """One attempt to move a server, as it ended; ``migration`` is Nova's migration UUID."""

    server_id: str
    server_name: str
    from_host: str
    to_host: str | None
    method: MoveMethod
    succeeded: bool
    started_at: datetime
    ended_at: datetime
    migration: str | None = None
    code: Code | None = None
    message: str = ""
    interruption_ms: float | None = None
