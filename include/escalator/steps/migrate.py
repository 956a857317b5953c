"""Migrate: move every server that is still on the node. Nothing is lost when it ends early.

That the node is empty and quiet is proven by upgrade, right before it acts; what came late is moved then.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from statistics import median

from escalator.model.campaign import NodeState
from escalator.model.cloud import Migration, Server
from escalator.model.lease import LeasePhase
from escalator.model.moves import DrainPlan, MoveMethod, PlannedMove
from escalator.model.step import Outcome
from escalator.model.verdict import Code, find_blockers
from escalator.steps.moving.drain import Drain, DrainPace
from escalator.steps.moving.flights import Flight, FlightState
from escalator.steps.running.context import StepContext
from escalator.steps.running.results import StepResult
from escalator.upgrade_manager.drain.drains import plan_drain
from escalator.upgrade_manager.drain.prechecks import check_servers, find_ongoing

log = logging.getLogger("escalator.steps.migrate")

ROUNDS = 3
"""How often the node is planned: servers may change under us, or arrive late."""
PATIENCE = timedelta(seconds=60)
"""How long a busy server may be without a migration on record."""
REST_SECONDS = 2.0
FIRST_GUESS = 0.8
"""The slowness of moves while nothing is known: a poll too early costs a call, one too late costs time."""
SLOWNESS_WITHIN = (0.3, 5.0)
"""What is believed of the pace of one node's moves."""


def migrate(ctx: StepContext) -> StepResult:
    """Empty the node: first attempt as precheck planned, later ones by what is there now."""
    lease = ctx.ensure_leased().lease
    if lease is not None and lease.mark is not None:
        message = f"{ctx.host} gave up its place ({lease.mark}): clear {ctx.host}.admit with downstream"
        return StepResult(outcome=Outcome.HELD, code=Code.LEASE_LOST, message=message)
    ctx.ensure_phase(LeasePhase.DRAINING)
    facts = ctx.facts
    first = facts.drain_started is None
    started = facts.drain_started or ctx.now()
    if first:
        ctx.remember(drain_started=started)
    drain = _drain(ctx, started, after_id=facts.last_migration)
    faults = _adopt_plan(ctx, drain) if first else _resume(ctx, drain)
    ctx.progress(NodeState.MIGRATING, message=f"{len(drain.waiting) + len(drain.flying)} server(s) to move")
    left = _empty(ctx, drain, faults)
    details = {"moved": sum(r.succeeded for r in drain.ended), "attempts": len(drain.ended)}
    if left:
        return StepResult(outcome=Outcome.HELD, code=drain.code, message="; ".join(left), details=details)
    _remember_pace(ctx, drain)
    ctx.progress(NodeState.EMPTY, message=f"{details['moved']} server(s) moved")
    stay = len(_last_plan(ctx).staying)
    rest = f"only {stay} member(s) of HA groups stay" if stay else "all that were to move"
    return StepResult(message=f"{details['moved']} server(s) moved, {rest}", details=details)


def _empty(ctx: StepContext, drain: Drain, faults: tuple[str, ...]) -> tuple[str, ...]:
    """Drain; look again where servers had changed since they were planned; say what stays in the end."""
    left: tuple[str, ...] = ()
    for _ in range(ROUNDS):
        if left:
            log.info("%s: planning anew: %s", ctx.host, "; ".join(left))
            faults = _resume(ctx, drain)
        drain.run()
        if drain.held or faults:
            return faults + tuple(drain.held)
        left = find_servers_left(ctx) if drain.doubtful else ()
        if not left:
            return ()
    return left


def _adopt_plan(ctx: StepContext, drain: Drain) -> tuple[str, ...]:
    """Take the plan that precheck made a moment ago."""
    drain.adopt(ctx.planned_drain(), ())
    return ()


def _drain(ctx: StepContext, started: datetime, *, after_id: int) -> Drain:
    since = started - timedelta(minutes=5)
    return Drain(ctx=ctx, since=since, after_id=after_id, pace=DrainPace(slowness=_known_slowness(ctx)))


def _known_slowness(ctx: StepContext) -> float:
    """Return how many times what was expected the moves off this campaign's other nodes took."""
    known = ctx.run.move_slowness().values()
    return median(known) if known else FIRST_GUESS


def _remember_pace(ctx: StepContext, drain: Drain) -> None:
    if drain.slowness:
        least, most = SLOWNESS_WITHIN
        ctx.remember(move_slowness=round(min(most, max(least, *drain.slowness)), 2))


def _resume(ctx: StepContext, drain: Drain) -> tuple[str, ...]:
    """Plan afresh by what is there now.

    :return: what blocks servers that are still on the node.
    """
    planned = {move.server_id for move in _last_plan(ctx).moves}
    servers, migrations = _come_to_rest(ctx, drain.since)
    _record_ended(ctx, migrations, planned)
    snapshot = ctx.campaign.fetch_snapshot()
    going_on = find_ongoing(migrations, snapshot.servers, ctx.now())
    away = [m for m in going_on if _ours_to_land(m, ctx.host, planned)]
    moving = {m.server_id for m in away}
    verdicts = check_servers(tuple(s for s in servers if s.id not in moving))
    replanned = plan_drain(
        snapshot, ctx.host, verdicts, members_stay=ctx.plan.members_stay, order=ctx.plan.hosts
    )
    names = {s.id: s.name for s in snapshot.servers}
    flights = tuple(_adopted(m, names) for m in away)
    plan = DrainPlan(
        host=ctx.host,
        moves=flights + tuple(m for m in replanned.moves if m.server_id not in moving),
        staying=replanned.staying,
    )
    ctx.ensure_current()
    ctx.remember(drain_plan=plan)
    drain.adopt(plan, away)
    drain.after_id = max([drain.after_id, *(m.id for m in migrations)])
    return tuple(str(v) for v in find_blockers(replanned.verdicts) if v.subject.id not in moving)


def _last_plan(ctx: StepContext) -> DrainPlan:
    return ctx.recorded_plan() or DrainPlan(host=ctx.host)


def _record_ended(ctx: StepContext, migrations: tuple[Migration, ...], planned: set[str]) -> None:
    """Record moves that ended while no attempt of ours was there to see it."""
    known = {move.migration for move in ctx.run.moves(ctx.host)}
    for migration in migrations:
        ended = migration.source_host == ctx.host and not migration.status.unfinished
        if ended and migration.server_id in planned and migration.uuid not in known:
            flight = Flight(
                move=_adopted(migration, {}),
                destination=migration.dest_host,
                started_at=migration.created_at,
                after_id=migration.id - 1,
                migration=migration,
            )
            state = FlightState.FAILED if migration.status.failed else FlightState.ARRIVED
            record = flight.record(ctx.host, migration.updated_at or ctx.now(), state)
            ctx.run.record_move(ctx.host, record)


def _come_to_rest(ctx: StepContext, since: datetime) -> tuple[tuple[Server, ...], tuple[Migration, ...]]:
    """Read servers and migrations until every busy server has its migration on record, or patience ends."""
    deadline = ctx.now() + PATIENCE
    while True:
        servers = ctx.cloud.fetch_servers(ctx.host)
        migrations = ctx.cloud.fetch_migrations(host=ctx.host, since=since)
        known = {m.server_id for m in migrations if m.status.unfinished}
        if all(s.task_state is None or s.id in known for s in servers) or ctx.now() > deadline:
            return servers, migrations
        ctx.campaign.sleep(REST_SECONDS)


def _ours_to_land(migration: Migration, host: str, planned: set[str]) -> bool:
    """Tell whether a migration takes a server away from the node; what others began waits for its owner.

    A live migration is watched whoever asked for it; a cold one is confirmed only when we planned it.
    """
    if migration.source_host != host:
        return False
    live = migration.type == "live-migration"
    return live or (migration.type == "migration" and migration.server_id in planned)


def _adopted(migration: Migration, names: dict[str, str]) -> PlannedMove:
    """Make the move of a migration that an earlier attempt requested."""
    live = migration.type == "live-migration"
    return PlannedMove(
        server_id=migration.server_id,
        server_name=names.get(migration.server_id, migration.server_id),
        method=MoveMethod.LIVE if live else MoveMethod.COLD,
        destinations=(migration.dest_host,) if migration.dest_host else (),
    )


def find_servers_left(ctx: StepContext) -> tuple[str, ...]:
    """Say which servers keep the node from being empty; those that stay as the plan says do not."""
    staying = _last_plan(ctx).staying
    servers = [s for s in ctx.cloud.fetch_servers(ctx.host) if not s.on_no_node and s.id not in staying]
    return tuple(f"server {s.name} ({s.id}) is still on {ctx.host}, {s.vm_state}" for s in servers)


def find_busy_members(ctx: StepContext) -> list[str]:
    """Say which servers that stay on the node are busy: their nova-compute must not be restarted now."""
    staying = _last_plan(ctx).staying
    if not staying:
        return []
    busy = (s for s in ctx.cloud.fetch_servers(ctx.host) if s.id in staying and s.task_state is not None)
    return [f"server {s.name} ({s.id}) is busy: {s.task_state}" for s in busy]
