"""The drain: moves under way, watched by one shared poll of Nova's migrations.

Killed and run again, it finds the migrations that are under way, waits for them, and requests none twice.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from escalator.model.cloud import Migration
from escalator.model.errors import ConflictError, EscalatorError, NotFoundError, TransientError
from escalator.model.moves import DrainPlan, FailureAction, MoveMethod, MoveRecord, PlannedMove
from escalator.model.verdict import Code
from escalator.steps.moving.flights import Flight, FlightState, can_abort
from escalator.steps.running.context import StepContext
from escalator.upgrade_manager.drain.drains import choose_next_action

log = logging.getLogger("escalator.steps.moving.drain")

_SHARE_OF_AGE = 3
"""A move is seen to have ended at most a third of its time late."""


_LONGEST_GAP_SECONDS = 60.0
"""Nova is asked at least so often, however long a move takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainPace:
    """How many servers move at once, and how often Nova is asked.

    Nova is asked first when the last of the moves that were begun may have ended, which is ``slowness`` times
    what is expected of the largest: what this campaign's moves took, so far. Later polls come further and
    further apart, so that a long move costs few of them and is seen to have ended soon for its length.

    :ivar at_once: moves under way from one node; Nova queues live migrations beyond its own limit.
    """

    at_once: int = 8
    slowness: float = 1.0
    margin_seconds: float = 0.7
    poll_seconds: float = 3.0

    def first_poll(self, expected_seconds: float) -> float:
        """Return the seconds from the requests to the first poll.

        :param expected_seconds: of the longest of the moves.
        """
        return self.slowness * expected_seconds + self.margin_seconds

    def next_poll(self, age_seconds: float) -> float:
        """Return the seconds from one poll to the next.

        :param age_seconds: since the newest request.
        """
        return max(self.poll_seconds, age_seconds / _SHARE_OF_AGE)


@dataclass(slots=True, kw_only=True)
class Drain:
    """One node's drain, as it goes: what waits, what flies, what ended.

    :ivar doubtful: a server had changed when its turn came, so the plan does not tell what is on the node.
    :ivar slowness: of each live move that arrived, how many times what was expected it took.
    """

    ctx: StepContext
    since: datetime
    after_id: int
    pace: DrainPace = field(default_factory=DrainPace)
    waiting: list[PlannedMove] = field(default_factory=list)
    flying: list[Flight] = field(default_factory=list)
    ended: list[MoveRecord] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    adopted: set[str] = field(default_factory=set)
    doubtful: bool = False
    slowness: list[float] = field(default_factory=list)

    @property
    def limit(self) -> timedelta:
        """Return how long one move may take."""
        return timedelta(seconds=self.ctx.plan.request.migration_timeout_seconds)

    def adopt(self, plan: DrainPlan, migrations: Sequence[Migration]) -> None:
        """Take the plan's moves, and those of them that are under way already as flights."""
        under_way = {m.server_id: m for m in migrations if m.status.unfinished}
        for move in plan.moves:
            migration = under_way.get(move.server_id)
            if migration is None:
                self.waiting.append(move)
                continue
            log.info("%s: %s is on its way already", self.ctx.host, move.server_name)
            self.adopted.add(move.server_id)
            self.flying.append(
                Flight(
                    move=move,
                    destination=migration.dest_host,
                    started_at=migration.created_at,
                    after_id=migration.id - 1,
                    migration=migration,
                    running_since=self.ctx.now(),
                )
            )

    def run(self) -> None:
        """Move every waiting server, or end with the reasons why some stay."""
        while self.waiting or self.flying:
            fresh = self._start_some()
            if self.flying:
                self.ctx.campaign.sleep(self._until_poll(fresh))
                self._poll()

    def _until_poll(self, fresh: Sequence[Flight]) -> float:
        if fresh:
            return self.pace.first_poll(max(self._expected(flight.move) for flight in fresh))
        if any(flight.aborted_at or flight.refused_at for flight in self.flying):
            return self.pace.poll_seconds
        now = self.ctx.now()
        newest = max(flight.confirmed_at or flight.started_at for flight in self.flying)
        begun = [since for f in self.flying if (since := f.confirmed_at or f.running_since) is not None]
        rest = min(
            ((since + self.limit - now).total_seconds() for since in begun), default=_LONGEST_GAP_SECONDS
        )
        gap = min(self.pace.next_poll((now - newest).total_seconds()), rest + 1.0, _LONGEST_GAP_SECONDS)
        return max(self.pace.poll_seconds, gap)

    def _expected(self, move: PlannedMove) -> float:
        return self.ctx.plan.expected.move_seconds(move.memory_mib)

    def _start_some(self) -> list[Flight]:
        fresh: list[Flight] = []
        while self.waiting and len(self.flying) + len(fresh) < self.pace.at_once:
            if self.held:
                self.waiting.clear()  # the node is held: what flies lands, nothing more starts
                break
            flight = self._start(self.waiting.pop(0))
            if flight is not None:
                fresh.append(flight)
        self.flying.extend(fresh)
        return fresh

    def _start(self, move: PlannedMove) -> Flight | None:
        """Request one move; a request that Nova refuses is a failed attempt."""
        self.ctx.ensure_current()
        destination = move.destinations[0]
        flight = Flight(move=move, destination=destination, started_at=self.ctx.now(), after_id=self.after_id)
        try:
            if move.method is MoveMethod.LIVE:
                self.ctx.cloud.start_live_migration(move.server_id, destination)
            else:
                self.ctx.cloud.start_cold_migration(move.server_id, destination)
        except TransientError:
            raise
        except (NotFoundError, ConflictError) as exc:
            log.info("%s: %s has changed, it is looked at again: %s", self.ctx.host, move.server_name, exc)
            self.doubtful = True
            return None
        except EscalatorError as exc:
            log.warning("%s: Nova refuses to move %s: %s", self.ctx.host, move.server_name, exc)
            refused = flight.record(self.ctx.host, self.ctx.now(), FlightState.FAILED)
            self._failed(move, replace(refused, message=str(exc)))
            return None
        log.info(
            "%s: %s migration of %s to %s requested",
            self.ctx.host,
            move.method,
            move.server_name,
            destination,
        )
        return flight

    def _poll(self) -> None:
        """Ask Nova once for all migrations of the node and go through the flights."""
        migrations = self.ctx.cloud.fetch_migrations(host=self.ctx.host, since=self.since)
        now = self.ctx.now()
        flying, self.flying = self.flying, []
        for flight in flying:
            seen = flight.seen(migrations, now)
            state = seen.state(now, self.limit)
            match state:
                case FlightState.FLYING:
                    self.flying.append(seen)
                case FlightState.CONFIRM:
                    self.flying.append(self._confirmed(seen, now))
                case FlightState.LATE:
                    self.flying.extend(self._late(seen, now))
                case FlightState.ARRIVED:
                    self._landed(seen, seen.record(self.ctx.host, now, state))
                case FlightState.FAILED | FlightState.STUCK:
                    self._failed(
                        seen.move, seen.record(self.ctx.host, now, state), stuck=state is FlightState.STUCK
                    )
        self.after_id = max([self.after_id, *(m.id for m in migrations)])

    def _confirmed(self, flight: Flight, now: datetime) -> Flight:
        """Confirm a cold migration; Nova refuses for a moment after it is finished: then at the next poll."""
        self.ctx.ensure_current()
        try:
            self.ctx.cloud.confirm_resize(flight.move.server_id)
        except ConflictError as exc:
            log.info("%s: %s cannot be confirmed yet: %s", self.ctx.host, flight.move.server_name, exc)
            return replace(flight, refused_at=flight.refused_at or now)
        return replace(flight, confirmed_at=now)

    def _late(self, flight: Flight, now: datetime) -> list[Flight]:
        """Abort a move that hangs; one that cannot be aborted holds the node."""
        name = flight.move.server_name
        if not can_abort(flight) or flight.migration is None:
            self._failed(flight.move, flight.record(self.ctx.host, now, FlightState.STUCK), stuck=True)
            return []
        log.warning(
            "%s: the migration of %s takes longer than %s: aborting it", self.ctx.host, name, self.limit
        )
        self.ctx.ensure_current()
        try:
            self.ctx.cloud.abort_migration(flight.move.server_id, flight.migration.id)
        except TransientError:
            raise
        except EscalatorError as exc:
            log.warning("%s: Nova does not abort the migration of %s: %s", self.ctx.host, name, exc)
        return [replace(flight, aborted_at=now)]

    def _landed(self, flight: Flight, record: MoveRecord) -> None:
        log.info("%s: %s is on %s", self.ctx.host, record.server_name, record.to_host)
        if record.method is MoveMethod.LIVE and record.server_id not in self.adopted:
            took = (record.ended_at - record.started_at).total_seconds()
            self.slowness.append(took / self._expected(flight.move))
        self._keep(record)

    def _failed(self, move: PlannedMove, record: MoveRecord, *, stuck: bool = False) -> None:
        """Ask the policy what comes next: another destination, or the node is held."""
        self._keep(record)
        attempts = [r for r in self.ended if r.server_id == move.server_id]
        action = FailureAction.HOLD if stuck else choose_next_action(attempts, move)
        rest = tuple(d for d in move.destinations if d != record.to_host)
        if not stuck and not rest and move.server_id in self.adopted:
            log.warning("%s: %s; it is planned anew", self.ctx.host, record.message)
            self.doubtful = True
            return
        if action is FailureAction.RETRY_ELSEWHERE and rest:
            log.warning("%s: %s; trying %s", self.ctx.host, record.message, rest[0])
            self.waiting.append(replace(move, destinations=rest))
            return
        log.error("%s: %s; the node is held", self.ctx.host, record.message)
        self.held.append(record.message)

    def _keep(self, record: MoveRecord) -> None:
        self.ended.append(record)
        self.ctx.run.record_move(self.ctx.host, record)

    @property
    def code(self) -> Code:
        """Return the code of the first reason that held the node."""
        failed = (r.code for r in self.ended if r.code is not None)
        return next(failed, Code.NODE_NOT_EMPTY)
