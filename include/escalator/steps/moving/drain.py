"""The drain: moves under way, watched by one shared poll of Nova's migrations.

Killed and run again, it finds the migrations that are under way, waits for them, and requests none twice.
Others act meanwhile: the node's lease is read at every turn, and a server is looked at when its move has
ended, whatever its migration says.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from escalator.model.campaign import OnSlowMove
from escalator.model.cloud import Migration, Server
from escalator.model.errors import EscalatorError, SupersededError, TransientError
from escalator.model.moves import DrainPlan, FailureAction, MoveMethod, MoveRecord, PlannedMove
from escalator.model.verdict import Code
from escalator.steps.moving.drain_record import DrainRecord
from escalator.steps.moving.endings import (
    describe_error,
    describe_failure,
    describe_gone,
    describe_half_landed,
)
from escalator.steps.moving.flights import Flight, FlightState, can_abort, can_force, is_back
from escalator.steps.moving.move_queue import MoveQueue
from escalator.steps.moving.node_view import NodeView
from escalator.steps.moving.pace import LONGEST_GAP_SECONDS, DrainPace
from escalator.steps.running.context import StepContext
from escalator.steps.running.patience import TOLERATED, Patience
from escalator.upgrade_manager.drain.drains import choose_next_action

log = logging.getLogger("escalator.steps.moving.drain")


@dataclass(slots=True, kw_only=True)
class Drain:
    """One node's drain, as it goes: what waits, what flies, what ended.

    :ivar slowness: of each live move that arrived, how many times what was expected it took.
    """

    ctx: StepContext
    since: datetime
    after_id: int
    patience: Patience
    record: DrainRecord
    view: NodeView
    pace: DrainPace
    queue: MoveQueue
    flying: list[Flight] = field(default_factory=list)
    adopted: set[str] = field(default_factory=set)
    slowness: list[float] = field(default_factory=list)
    _away: timedelta = timedelta()

    @classmethod
    def of(
        cls,
        ctx: StepContext,
        *,
        since: datetime,
        after_id: int,
        pace: DrainPace,
        source: str | None = None,
    ) -> Drain:
        """Prepare the drain of a step's node.

        :param since: older migrations do not matter.
        :param after_id: the newest migration that was known before the first request.
        :param source: another node that servers leave on behalf of the step's: standbys.
        """
        patience = Patience(ctx=ctx)
        record = DrainRecord(ctx=ctx, patience=patience)
        view = NodeView(ctx=ctx, patience=patience, host=source or ctx.host)
        return cls(
            ctx=ctx,
            since=since,
            after_id=after_id,
            patience=patience,
            record=record,
            view=view,
            pace=pace,
            queue=MoveQueue(ctx=ctx, record=record, view=view, pace=pace),
        )

    def adopt(self, plan: DrainPlan, migrations: Sequence[Migration]) -> None:
        """Take the plan's moves, and those of them that are under way already as flights.

        :param migrations: those under way: unfinished, or finished with the server where it was.
        """
        under_way = {m.server_id: m for m in sorted(migrations, key=lambda m: m.id)}
        for move in plan.moves:
            migration = under_way.get(move.server_id)
            if migration is None:
                self.queue.waiting.append(move)
                continue
            log.info("%s: %s is on its way already", self.ctx.host, move.server_name)
            self.adopted.add(move.server_id)
            self.flying.append(
                Flight(
                    move=move,
                    source=self.source,
                    destination=migration.dest_host,
                    started_at=migration.created_at,
                    after_id=migration.id - 1,
                    migration=migration,
                )
            )

    @property
    def source(self) -> str:
        """Return the node that servers leave."""
        return self.view.host

    @property
    def waiting(self) -> Sequence[PlannedMove]:
        """Return the moves that were not asked for yet."""
        return self.queue.waiting

    def run(self) -> None:
        """Move every waiting server, or end with the reasons why some stay.

        :raises LeaseLostError: the node is not ours any more; what flew has landed, nothing else was begun.
        """
        while self.waiting or self.flying:
            self.record.watch_lease()
            if self.source == self.ctx.host and self.record.is_gone():
                self._give_up()
                break
            self.record.heed_orders()
            fresh = self.queue.start(self.pace.at_once - len(self.flying), after_id=self.after_id)
            self.flying.extend(fresh)
            self._settle_refusals()
            self.record.copies.note(self.flying)
            if self.waiting or self.flying:
                self.record.rest(self._until_poll(fresh))
                self._poll()
        self.record.copies.note(())
        if self.record.held and self.record.silent_since and self.source == self.ctx.host:
            self._give_up()  # moves from a node that is gone may end in error before it counts as gone
        if self.record.lost is not None:
            raise self.record.lost

    def _give_up(self) -> None:
        """Leave what flies to Nova: no move from a node that is gone comes to an end while it is."""
        if all(verdict.code is not Code.NODE_DOWN for verdict in self.record.held):
            self.view.refresh()
            self.record.hold(describe_gone(self.ctx.host, tuple(self.view.here.values())), first=True)

    def find_left(self, staying: Collection[str]) -> tuple[Server, ...]:
        """Return which servers are left, after all that waited has gone; while all are busy, wait for one.

        :param staying: ids of the servers that are to stay.
        :raises LeaseLostError: the node is not ours any more.
        """
        if self.view.is_old():
            self.view.refresh()
        while True:
            left = self.view.find_left(staying)
            if not left or any(server.task_state is None for server in left):
                return left
            self.queue.hold_if_too_long(left)
            if self.record.held:
                return left
            waited = min(self.view.count_busy_seconds(server.id) for server in left)
            self.ctx.campaign.sleep(self.pace.next_poll(waited))
            self.record.watch_lease()
            if self.record.lost is not None:
                raise self.record.lost
            self.view.refresh()

    def _until_poll(self, fresh: Sequence[Flight]) -> float:
        if fresh:
            return self.pace.first_poll(min(self._expected(flight.move) for flight in fresh))
        if not self.flying:
            return self.queue.compute_gap()
        if any(flight.aborted_at or flight.refused_at for flight in self.flying):
            return self.pace.poll_seconds
        now = self.ctx.now()
        newest = max(flight.confirmed_at or flight.started_at for flight in self.flying)
        ends = [
            since + self.record.limit_of(f.move)
            for f in self.flying
            if f.landed_at is None and (since := f.confirmed_at or f.forced_at or f.running_since) is not None
        ]
        rest = min(((end - now).total_seconds() for end in ends), default=LONGEST_GAP_SECONDS)
        gap = min(self.pace.next_poll((now - newest).total_seconds()), rest + 1.0)
        return max(self.pace.poll_seconds, gap)

    def _expected(self, move: PlannedMove) -> float:
        return self.ctx.plan.expected.move_seconds(move.memory_mib)

    def _settle_refusals(self) -> None:
        """Count what Nova refused as failed attempts, of servers that are on the node."""
        refused, self.queue.refused = self.queue.refused, []
        for flight, said in refused:
            server = self.view.fetch_one(flight.move.server_id)
            if server is None or server.host != self.source:
                self._left_alone(flight, "it is not on the node any more")
                continue
            record = flight.record(self.ctx.now(), FlightState.FAILED)
            self._failed(flight.move, replace(record, message=said))

    # what flies

    def _poll(self) -> None:
        """Ask Nova once for all migrations of the node and go through the flights."""
        migrations = self.fetch_migrations()
        astray = [f.move.server_id for f in self.flying if f.source != self.source]
        elsewhere = [m for server_id in astray for m in self._fetch_migrations_of(server_id)]
        now = self.ctx.now()
        away, self._away = self.patience.away - self._away, self.patience.away
        landed: list[Flight] = []
        flying, self.flying = self.flying, []
        for flight in flying:
            seen = flight.delayed(away).seen((*migrations, *elsewhere), now)
            if seen.unsure and seen.migration is not None:
                self.queue.end_trouble()
            state = seen.state(now, self.record.limit_of(seen.move))
            match state:
                case FlightState.FLYING if self.record.aborts and seen.aborted_at is None and can_abort(seen):
                    self.flying.append(self._aborted(replace(seen, ordered=True), now))
                case FlightState.FLYING:
                    self.flying.append(seen)
                case FlightState.CONFIRM:
                    self.flying.append(self._confirmed(seen, now))
                case FlightState.LATE:
                    self.flying.extend(self._late(seen, now))
                case FlightState.ARRIVED:
                    landed.append(seen)
                case FlightState.FAILED | FlightState.LOST | FlightState.STUCK:
                    self.flying.extend(self._ended_badly(seen, state, now))
        if landed:
            self._check_arrivals(landed, migrations)
        self.after_id = max([self.after_id, *(m.id for m in migrations)])

    def fetch_migrations(self) -> tuple[Migration, ...]:
        """Read the migrations of the node that matter."""
        return self.patience.ask(lambda: self.ctx.cloud.fetch_migrations(host=self.source, since=self.since))

    def _fetch_migrations_of(self, server_id: str) -> tuple[Migration, ...]:
        return self.patience.ask(
            lambda: self.ctx.cloud.fetch_migrations(server_id=server_id, since=self.since)
        )

    def _confirmed(self, flight: Flight, now: datetime) -> Flight:
        """Confirm a cold migration; Nova refuses for a moment after it is finished: then at the next poll."""
        self.ctx.ensure_current()
        try:
            self.ctx.cloud.confirm_resize(flight.move.server_id)
        except SupersededError:
            raise
        except EscalatorError as exc:
            log.info("%s: %s cannot be confirmed yet: %s", self.ctx.host, flight.move.server_name, exc)
            return replace(flight, refused_at=flight.refused_at or now)
        return replace(flight, confirmed_at=now)

    def _late(self, flight: Flight, now: datetime) -> list[Flight]:
        """Force a move that hangs to its end where that was asked for, else abort it; or hold the node."""
        name, limit = flight.move.server_name, self.record.limit_of(flight.move)
        forced = self.ctx.plan.request.on_slow_move is OnSlowMove.FORCE_COMPLETE and not self.record.aborts
        if forced and can_force(flight):
            return [self._forced(flight, limit, now)]
        tried_for_long = flight.refused_at is not None and now - flight.refused_at > TOLERATED
        if not can_abort(flight) or flight.migration is None or tried_for_long:
            return self._ended_badly(flight, FlightState.STUCK, now)
        log.warning("%s: the migration of %s takes longer than %s: aborting it", self.ctx.host, name, limit)
        return [self._aborted(flight, now)]

    def _aborted(self, flight: Flight, now: datetime) -> Flight:
        """Ask Nova to abort a live migration."""
        name, number = flight.move.server_name, flight.migration.id if flight.migration else 0
        self.ctx.ensure_current()
        try:
            self.ctx.cloud.abort_migration(flight.move.server_id, number)
        except TransientError as exc:
            log.warning("%s: not known whether it is aborted: %s", self.ctx.host, exc)
            return replace(flight, refused_at=flight.refused_at or now)
        except EscalatorError as exc:
            log.warning("%s: Nova does not abort the migration of %s: %s", self.ctx.host, name, exc)
        return replace(flight, aborted_at=now)

    def _forced(self, flight: Flight, limit: timedelta, now: datetime) -> Flight:
        """Force a live migration to its end; its guest pauses. One that Nova refuses is aborted next."""
        name = flight.move.server_name
        log.warning("%s: the migration of %s takes longer than %s: forced to end", self.ctx.host, name, limit)
        self.ctx.ensure_current()
        number = flight.migration.id if flight.migration else 0
        try:
            self.ctx.cloud.force_complete(flight.move.server_id, number)
        except SupersededError:
            raise
        except EscalatorError as exc:
            log.warning("%s: Nova does not force the migration of %s: %s", self.ctx.host, name, exc)
            return replace(flight, forced_at=flight.running_since)
        return replace(flight, forced_at=now)

    # what ended

    def _check_arrivals(self, landed: Iterable[Flight], migrations: Iterable[Migration]) -> None:
        """Count as arrived what is not on the node any more; a record that says so is not enough."""
        self.view.refresh()
        now = self.ctx.now()
        for flight in landed:
            server = self.view.here.get(flight.move.server_id)
            if server is None or flight.source != self.source:
                self._landed(flight, flight.record(now, FlightState.ARRIVED))
            elif is_back(flight, migrations, self.source):
                log.warning("%s: somebody moved %s back", self.ctx.host, server.name)
                self._landed(flight, flight.record(now, FlightState.ARRIVED))
            elif flight.landed_at is None or now - flight.landed_at <= self.record.limit_of(flight.move):
                self.flying.append(replace(flight, landed_at=flight.landed_at or now))
            else:
                stuck = describe_half_landed(server, self.source, flight)
                self.record.keep(replace(flight.record(now, FlightState.STUCK), message=stuck.message))
                self.record.hold(stuck)

    def _landed(self, flight: Flight, record: MoveRecord) -> None:
        log.info("%s: %s is on %s", self.ctx.host, record.server_name, record.to_host)
        if record.method is MoveMethod.LIVE and record.server_id not in self.adopted:
            took = (record.ended_at - record.started_at).total_seconds()
            self.slowness.append(took / self._expected(flight.move))
        self.record.keep(record)

    def _ended_badly(self, flight: Flight, state: FlightState, now: datetime) -> list[Flight]:
        """Look at the server of a move that failed, or hangs, or that Nova has no record of.

        :return: the flight, when it is not over.
        """
        server = self.view.fetch_one(flight.move.server_id)
        if server is None or server.vm_state == "soft-delete":
            self._left_alone(flight, "its owner deleted it")
        elif server.vm_state == "error" and server.host in {flight.source, flight.destination}:
            self.record.keep(flight.record(now, FlightState.FAILED))
            self.record.hold(describe_error(server, flight))
        elif server.host == self.source:
            return self._still_here(flight, state, server, now)
        elif server.host == flight.destination and state is FlightState.STUCK:
            self._failed(flight.move, flight.record(now, state), stuck=True)
        else:
            return self._elsewhere(flight, state, server)
        return []

    def _still_here(self, flight: Flight, state: FlightState, server: Server, now: datetime) -> list[Flight]:
        """Wait for a server that is busy without a record; ask again for what Nova does not know of."""
        if state is FlightState.LOST and server.task_state is not None:
            if now - flight.started_at <= self.record.limit_of(flight.move) + flight.grace:
                return [flight]
            self._failed(flight.move, flight.record(now, state), stuck=True)
        elif state is FlightState.LOST and flight.unsure:
            log.info("%s: Nova knows of no move of %s: it is asked again", self.ctx.host, server.name)
            self.queue.waiting.append(flight.move)
        else:
            self._failed(flight.move, flight.record(now, state), stuck=state is FlightState.STUCK)
        return []

    def _elsewhere(self, flight: Flight, state: FlightState, server: Server) -> list[Flight]:
        """Leave alone what somebody else has moved; a request that met it there is brought to its end."""
        asked = [
            m
            for m in (self._fetch_migrations_of(server.id) if state is FlightState.LOST else ())
            if m.id > flight.after_id and m.dest_host == flight.destination
        ]
        if asked and flight.source == self.source and asked[0].source_host != self.source:
            log.warning(
                "%s: %s was on %s already when Nova took our request",
                self.ctx.host,
                server.name,
                asked[0].source_host,
            )
            self.adopted.add(server.id)
            return [replace(flight, source=asked[0].source_host, unsure=False)]
        why = "its migration failed" if server.host == flight.destination else "somebody else moved it"
        self._left_alone(flight, f"it is on {server.host}, {server.vm_state}: {why}")
        return []

    def _left_alone(self, flight: Flight, why: str) -> None:
        self.record.leave_alone(flight.record(self.ctx.now(), FlightState.FAILED, left_alone=why))

    def _failed(self, move: PlannedMove, record: MoveRecord, *, stuck: bool = False) -> None:
        """Ask the policy what comes next: another destination, or the node is held."""
        self.record.keep(record)
        if self.record.lost is not None or record.code is Code.ORDER_ABORT_MOVES:
            return
        attempts = [r for r in self.record.ended if r.server_id == move.server_id]
        action = FailureAction.HOLD if stuck else choose_next_action(attempts, move)
        rest = tuple(d for d in move.destinations if d != record.to_host)
        if not stuck and not rest and move.server_id in self.adopted:
            log.warning("%s: %s; it is planned anew", self.ctx.host, record.message)
            return
        if action is FailureAction.RETRY_ELSEWHERE and rest:
            log.warning("%s: %s; trying %s", self.ctx.host, record.message, rest[0])
            self.view.forget()
            self.queue.waiting.append(replace(move, destinations=rest))
            return
        self.record.hold(describe_failure(record))
