"""One server on its way: from the request to Nova until its migration has ended, one way or the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from escalator.model.cloud import Migration, MigrationStatus
from escalator.model.moves import MoveRecord, PlannedMove
from escalator.model.verdict import Code

APPEARS_WITHIN = timedelta(seconds=60)
"""How long Nova may take to write a migration record after it accepted the request."""
ABORTS_WITHIN = timedelta(seconds=30)
"""How long an aborted migration may take to end."""

QUEUED_FOR = 10
"""Times the limit that a migration may wait in Nova's queue."""
_MOMENTS = ("running_since", "forced_at", "aborted_at", "confirmed_at", "refused_at", "landed_at")
"""Fields of a flight from which time is counted, as far as they are set."""
_QUEUED = frozenset({MigrationStatus.ACCEPTED, MigrationStatus.QUEUED})


class FlightState(StrEnum):
    """What is to be done with a flight now."""

    FLYING = "flying"
    CONFIRM = "confirm"
    LATE = "late"
    ARRIVED = "arrived"
    FAILED = "failed"
    LOST = "lost"
    """Nova has no record of it, or not any more."""
    STUCK = "stuck"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """A move under way.

    ``after_id`` is the newest migration id known before the request. ``running_since`` is when it was first
    seen to have left Nova's queue, ``forced_at`` when its end was forced, ``aborted_at`` when its abort was
    asked for, ``confirmed_at`` when its confirmation was, ``refused_at`` when Nova first refused to confirm
    or to abort it. ``landed_at`` is when its migration was first seen to be over with the server still where
    it was.

    :ivar source: the host that it leaves; not that of the drain when somebody had moved the server there, and
        Nova took our request a moment later.
    :ivar grace: for how long nobody could see how it stands.
    :ivar unsure: the answer to the request was lost: Nova may know nothing of it.
    :ivar ordered: a person ordered its abort.
    :ivar vanished: its migration is not on record any more, as of a server that was deleted.
    """

    move: PlannedMove
    source: str
    destination: str | None
    started_at: datetime
    after_id: int
    migration: Migration | None = None
    running_since: datetime | None = None
    forced_at: datetime | None = None
    aborted_at: datetime | None = None
    confirmed_at: datetime | None = None
    refused_at: datetime | None = None
    landed_at: datetime | None = None
    grace: timedelta = timedelta()
    unsure: bool = False
    vanished: bool = False
    ordered: bool = False

    def seen(self, migrations: Iterable[Migration], now: datetime) -> Flight:
        """Return this flight with its own migration as Nova has it now."""
        own = [
            m
            for m in migrations
            if m.server_id == self.move.server_id and m.id > self.after_id and m.source_host == self.source
        ]
        newest = max(own, key=lambda m: m.id, default=None)
        if newest is None:
            return replace(self, vanished=self.migration is not None)
        since = self.running_since or (None if newest.status in _QUEUED else now)
        destination = newest.dest_host or self.destination
        return replace(self, migration=newest, destination=destination, running_since=since, vanished=False)

    def delayed(self, away: timedelta) -> Flight:
        """Give it that much more time: for so long nobody could see how it stands."""
        if not away:
            return self
        later = {name: since + away for name in _MOMENTS if (since := getattr(self, name)) is not None}
        return replace(self, grace=self.grace + away, **later)

    def state(self, now: datetime, limit: timedelta) -> FlightState:
        """Judge the flight at a moment: a migration that runs longer than ``limit`` is late.

        Nova runs one live migration a source by default: what waits in its queue has its time before it.
        """
        if self.migration is None or self.vanished:
            awaited = not self.vanished and now - self.started_at <= APPEARS_WITHIN + self.grace
            return FlightState.FLYING if awaited else FlightState.LOST
        status = self.migration.status
        if status.failed or status is MigrationStatus.REVERTED:
            return FlightState.FAILED
        if status is MigrationStatus.FINISHED and self.confirmed_at is None:
            late = self.refused_at is not None and now - self.refused_at > limit
            return FlightState.LATE if late else FlightState.CONFIRM
        if not status.unfinished:
            return FlightState.ARRIVED
        if self.aborted_at is not None:
            return FlightState.STUCK if now - self.aborted_at > ABORTS_WITHIN else FlightState.FLYING
        return FlightState.LATE if self._overdue(now, limit) else FlightState.FLYING

    def _overdue(self, now: datetime, limit: timedelta) -> bool:
        began = self.confirmed_at or self.forced_at or self.running_since
        if began is None:
            return now - self.started_at > QUEUED_FOR * limit + self.grace
        return now - began > limit

    def record(self, now: datetime, state: FlightState, *, left_alone: str = "") -> MoveRecord:
        """Write down how the flight ended.

        :param left_alone: why it ended otherwise than asked for, and is no failure: the server is not on the
            node any more.
        """
        code, message = (None, left_alone) if left_alone else self._reason(state)
        return MoveRecord(
            server_id=self.move.server_id,
            server_name=self.move.server_name,
            from_host=self.source,
            to_host=self.destination,
            method=self.move.method,
            succeeded=state is FlightState.ARRIVED and not left_alone,
            started_at=self.started_at,
            ended_at=self._ended_at(now),
            migration=self.migration.uuid if self.migration else None,
            code=code,
            message=message,
        )

    def _ended_at(self, now: datetime) -> datetime:
        """Return when Nova wrote the migration last, if that is in between; polls come later."""
        told = self.migration.updated_at if self.migration else None
        return told if told is not None and self.started_at <= told <= now else now

    def _reason(self, state: FlightState) -> tuple[Code | None, str]:
        what = f"{self.move.method} migration of {self.move.server_name} to {self.destination}"
        if state is FlightState.ARRIVED:
            return None, ""
        if self.ordered and state is not FlightState.STUCK:
            return Code.ORDER_ABORT_MOVES, f"{what} was aborted, as a person ordered"
        if state is FlightState.STUCK or self.aborted_at is not None:
            aborted = " and was aborted" if self.aborted_at is not None else ""
            return Code.MIGRATION_HUNG, f"{what} took too long{aborted}"
        if self.migration is None or self.vanished:
            return Code.MIGRATION_FAILED, f"{what}: Nova has no record of it"
        return Code.MIGRATION_FAILED, f"{what} ended in status {self.migration.status}"


def can_force(flight: Flight) -> bool:
    """Tell whether Nova can force it to its end: a live migration that runs, once."""
    running = flight.migration is not None and flight.migration.status is MigrationStatus.RUNNING
    return running and flight.move.method.is_live and flight.forced_at is None


def can_abort(flight: Flight) -> bool:
    """Tell whether Nova can abort it: live migrations only."""
    return flight.move.method.is_live and flight.migration is not None


def is_back(flight: Flight, migrations: Iterable[Migration], host: str) -> bool:
    """Tell whether a later migration brought a server back to the node."""
    last = flight.migration.id if flight.migration else flight.after_id
    return any(
        m.server_id == flight.move.server_id
        and m.id > last
        and m.dest_host == host
        and not m.status.unfinished
        for m in migrations
    )
