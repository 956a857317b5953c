"""Migrate: move every server that is still on the node. Nothing is lost when it ends early.

That the node is empty and quiet is proven by upgrade, right before it acts; what came late is moved then.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from statistics import median

from escalator.model.campaign import NodeState
from escalator.model.cloud import Migration, MigrationStatus, Server
from escalator.model.errors import LeaseLostError
from escalator.model.lease import LeasePhase
from escalator.model.moves import NO_AGREEMENT, DrainPlan, MoveMethod, PlannedMove
from escalator.model.step import Outcome
from escalator.model.verdict import Code, Verdict, find_blockers
from escalator.steps.moving.drain import Drain
from escalator.steps.moving.endings import describe_left
from escalator.steps.moving.flights import Flight, FlightState
from escalator.steps.moving.pace import DrainPace
from escalator.steps.moving.planning import plan_node_drain
from escalator.steps.running.context import StepContext
from escalator.steps.running.results import StepResult
from escalator.steps.switching.managers import tell_of_done
from escalator.upgrade_manager.drain.prechecks import LIVE, check_servers, find_ongoing

log = logging.getLogger("escalator.steps.migrate")

ROUNDS = 3
"""How often the node is planned: servers may change under us, or arrive late."""
APPEARS_WITHIN = timedelta(seconds=60)
"""How long a server may be on its way without a migration on record."""
REST_SECONDS = 2.0
FIRST_GUESS = 0.8
"""The slowness of moves while nothing is known: a poll too early costs a call, one too late costs time."""
SLOWNESS_WITHIN = (0.3, 5.0)
"""What is believed of the pace of one node's moves."""
_ON_ITS_WAY = frozenset({"migrating", "resize_prep", "resize_migrating", "resize_migrated", "resize_finish"})
"""Tasks of a server that is being moved; its migration is on record, or will be in a moment."""


def migrate(ctx: StepContext) -> StepResult:
    """Empty the node: first attempt as precheck planned, later ones by what is there now.

    :raises LeaseLostError: the node is not ours any more; what we had asked for has landed.
    """
    try:
        lease = ctx.ensure_leased().lease
        if lease is not None and lease.mark is not None:
            message = f"{ctx.host} gave up its place ({lease.mark}): clear {ctx.host}.admit with downstream"
            return StepResult(outcome=Outcome.HELD, code=Code.LEASE_LOST, message=message)
        ctx.ensure_phase(LeasePhase.DRAINING)
    except LeaseLostError as lost:
        _land(ctx, lost)
        raise
    first = ctx.facts.drain_started is None
    if first:
        ctx.remember(drain_started=ctx.now())
    drain = _drain(ctx)
    faults = _adopt_plan(ctx, drain) if first else _resume(ctx, drain)
    ctx.progress(NodeState.MIGRATING, message=f"{len(drain.waiting) + len(drain.flying)} server(s) to move")
    left = _empty(ctx, drain, faults)
    ended = drain.record.ended
    tell_of_done(ctx)
    details = {"moved": sum(r.succeeded for r in ended), "attempts": len(ended)}
    if left:
        message = "; ".join(str(verdict) for verdict in left)
        return StepResult(outcome=Outcome.HELD, code=left[0].code, message=message, details=details)
    _remember_pace(ctx, drain)
    ctx.progress(NodeState.EMPTY, message=f"{details['moved']} server(s) moved")
    plan = _last_plan(ctx)
    stay, stop = len(plan.undisturbed), len(plan.stopping)
    rest = f"only {stay} member(s) of HA groups stay" if stay else "all that were to move"
    rest += f", {stop} server(s) stay that must not run" if stop else ""
    return StepResult(message=f"{details['moved']} server(s) moved, {rest}", details=details)


def _empty(ctx: StepContext, drain: Drain, faults: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    """Drain; look again where servers had changed since they were planned; say what stays in the end."""
    left: tuple[Server, ...] = ()
    for _ in range(ROUNDS):
        if left:
            log.info("%s: planning anew: %s", ctx.host, ", ".join(server.name for server in left))
            faults = _resume(ctx, drain)
        drain.run()
        drain.record.heed_orders()  # also where nothing is left to move: an attempt before may have been held
        if drain.record.held or faults:
            return (*drain.record.held, *faults)
        left = drain.find_left(_last_plan(ctx).staying)
        if drain.record.held or not left:
            return tuple(drain.record.held)
    return tuple(describe_left(server, ctx.host) for server in left)


def _adopt_plan(ctx: StepContext, drain: Drain) -> tuple[Verdict, ...]:
    """Take the plan that precheck made a moment ago; what others began since then is not ours."""
    drain.adopt(ctx.planned_drain(), ())
    drain.after_id = max([drain.after_id, *(m.id for m in drain.fetch_migrations())])
    return ()


def _drain(ctx: StepContext) -> Drain:
    facts = ctx.facts
    since = (facts.drain_started or ctx.now()) - timedelta(minutes=5)
    pace = DrainPace(slowness=_known_slowness(ctx))
    return Drain.of(ctx, since=since, after_id=facts.last_migration, pace=pace)


def _known_slowness(ctx: StepContext) -> float:
    """Return how many times what was expected the moves off this campaign's other nodes took."""
    known = ctx.run.move_slowness().values()
    return median(known) if known else FIRST_GUESS


def _remember_pace(ctx: StepContext, drain: Drain) -> None:
    if drain.slowness:
        least, most = SLOWNESS_WITHIN
        ctx.remember(move_slowness=round(min(most, max(least, *drain.slowness)), 2))


def _land(ctx: StepContext, lost: LeaseLostError) -> None:
    """Bring to their end the moves that an earlier attempt has begun; ask for nothing else."""
    if ctx.facts.drain_started is None:
        return
    drain = _drain(ctx)
    drain.record.lost = lost
    names = _name_planned(ctx)
    migrations = _come_to_rest(ctx, drain)
    _record_ended(ctx, drain, migrations, names)
    away = _find_away(ctx, drain, migrations)
    drain.adopt(DrainPlan(host=ctx.host, moves=tuple(_adopted(m, names) for m in away)), away)
    with suppress(LeaseLostError):
        drain.run()


def _resume(ctx: StepContext, drain: Drain) -> tuple[Verdict, ...]:
    """Plan afresh by what is there now.

    :return: what blocks servers that are still on the node.
    """
    names = _name_planned(ctx)
    migrations = _come_to_rest(ctx, drain)
    _record_ended(ctx, drain, migrations, names)
    snapshot = drain.patience.ask(ctx.fetch_snapshot)
    known = {s.id: s for s in snapshot.servers}
    away = _find_away(ctx, drain, migrations, known)
    moving = {m.server_id for m in away}
    verdicts = check_servers(tuple(s for s in drain.view.here.values() if s.id not in moving))
    agreement = ctx.facts.agreement or NO_AGREEMENT
    replanned = plan_node_drain(ctx, snapshot, verdicts, agreement=agreement)
    names = names | {server.id: server.name for server in known.values()}
    flights = tuple(_adopted(m, names) for m in away)
    moves = flights + tuple(m for m in replanned.moves if m.server_id not in moving)
    plan = replace(replanned, moves=moves, verdicts=())
    ctx.remember(drain_plan=plan)
    drain.adopt(plan, away)
    drain.after_id = max([drain.after_id, *(m.id for m in migrations)])
    return tuple(v for v in find_blockers(replanned.verdicts) if v.subject.id not in moving)


def _last_plan(ctx: StepContext) -> DrainPlan:
    return ctx.recorded_plan() or DrainPlan(host=ctx.host)


def _name_planned(ctx: StepContext) -> dict[str, str]:
    """Return the servers that the last plan moves: id -> name."""
    return {move.server_id: move.server_name for move in _last_plan(ctx).moves}


def _record_ended(
    ctx: StepContext, drain: Drain, migrations: tuple[Migration, ...], planned: Mapping[str, str]
) -> None:
    """Record moves that ended while no attempt of ours was there to see it.

    :param planned: the servers that were to be moved: id -> name.
    """
    known = {move.migration for move in ctx.run.moves(ctx.host)}
    half = _find_half_landed(ctx, drain, migrations)
    for migration in migrations:
        ended = (
            migration.source_host == ctx.host and not migration.status.unfinished and migration not in half
        )
        if ended and migration.server_id in planned and migration.uuid not in known:
            flight = Flight(
                move=_adopted(migration, planned),
                source=ctx.host,
                destination=migration.dest_host,
                started_at=migration.created_at,
                after_id=migration.id - 1,
                migration=migration,
            )
            state = FlightState.FAILED if migration.status.failed else FlightState.ARRIVED
            record = flight.record(migration.updated_at or ctx.now(), state)
            ctx.run.record_move(ctx.host, record)


def _come_to_rest(ctx: StepContext, drain: Drain) -> tuple[Migration, ...]:
    """Read servers and migrations until every server on its way has its migration on record, or too long."""
    deadline = ctx.now() + APPEARS_WITHIN
    while True:
        drain.view.refresh()
        migrations = drain.fetch_migrations()
        known = {m.server_id for m in migrations if m.status.unfinished}
        nameless = [s for s in drain.view.here.values() if s.task_state in _ON_ITS_WAY and s.id not in known]
        if not nameless or ctx.now() > deadline + drain.patience.away:
            return migrations
        ctx.campaign.sleep(REST_SECONDS)


def _find_away(
    ctx: StepContext,
    drain: Drain,
    migrations: Iterable[Migration],
    known: Mapping[str, Server] | None = None,
) -> list[Migration]:
    """Return the migrations that take servers off the node and are ours to watch, the newest of each.

    :param known: the servers of the cloud; None: those of the migrations are asked for.
    """
    unfinished = [m for m in migrations if m.status.unfinished]
    if known is None:
        found = map(drain.view.fetch_one, {m.server_id for m in unfinished})
        known = {server.id: server for server in found if server is not None}
    going_on = find_ongoing(unfinished, known.values(), ctx.now())
    asked = ctx.facts.cold_asked
    ours = [m for m in going_on if m.server_id in known and _ours_to_land(m, ctx.host, asked)]
    away = sorted((*ours, *_find_half_landed(ctx, drain, migrations)), key=lambda m: m.id)
    return list({m.server_id: m for m in away}.values())


def _find_half_landed(
    ctx: StepContext, drain: Drain, migrations: Iterable[Migration]
) -> tuple[Migration, ...]:
    """Return the live migrations that are completed while their servers are still here, and migrating."""
    newest: dict[str, Migration] = {}
    for migration in sorted(migrations, key=lambda m: m.id):
        if migration.source_host == ctx.host and migration.type == LIVE:
            newest[migration.server_id] = migration
    return tuple(
        m
        for m in newest.values()
        if m.status is MigrationStatus.COMPLETED
        and (server := drain.view.here.get(m.server_id)) is not None
        and server.task_state == "migrating"
    )


def _ours_to_land(migration: Migration, host: str, asked: Collection[str]) -> bool:
    """Tell whether a migration takes a server away from the node; what others began waits for its owner.

    A live migration is watched whoever asked for it; a cold one is confirmed only when we asked for it.
    """
    if migration.source_host != host:
        return False
    live = migration.type == LIVE
    return live or (migration.type == "migration" and migration.server_id in asked)


def _adopted(migration: Migration, names: Mapping[str, str]) -> PlannedMove:
    """Make the move of a migration that an earlier attempt requested.

    :param names: server id -> name; of a server that is not in it the id stands in for its name.
    """
    live = migration.type == LIVE
    return PlannedMove(
        server_id=migration.server_id,
        server_name=names.get(migration.server_id, migration.server_id),
        method=MoveMethod.LIVE if live else MoveMethod.COLD,
        destinations=(migration.dest_host,) if migration.dest_host else (),
    )


def find_staying(ctx: StepContext) -> Collection[str]:
    """Return the servers that stay on the node, as its drain was planned last."""
    return _last_plan(ctx).staying


def find_servers_left(ctx: StepContext) -> tuple[str, ...]:
    """Say which servers keep the node from being empty; those that stay as the plan says do not."""
    staying = find_staying(ctx)
    servers = [s for s in ctx.cloud.fetch_servers(ctx.host) if not s.on_no_node and s.id not in staying]
    return tuple(f"server {s.name} ({s.id}) is still on {ctx.host}, {s.vm_state}" for s in servers)


def find_busy_members(ctx: StepContext) -> list[str]:
    """Say which servers that stay on the node are busy: their nova-compute must not be restarted now."""
    staying = find_staying(ctx)
    if not staying:
        return []
    busy = (s for s in ctx.cloud.fetch_servers(ctx.host) if s.id in staying and s.task_state is not None)
    return [f"server {s.name} ({s.id}) is busy: {s.task_state}" for s in busy]
