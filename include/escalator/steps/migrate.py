"""Migrate: move every server that is still on the node. Nothing is lost when it ends early."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from escalator.model.campaign import NodeState
from escalator.model.cloud import Migration, Server
from escalator.model.moves import DrainPlan, MoveMethod, PlannedMove
from escalator.model.verdict import Code, blockers
from escalator.steps.context import StepContext
from escalator.steps.documents import drain_plan_from_document, drain_plan_to_document
from escalator.steps.drain import Drain
from escalator.steps.results import Outcome, StepResult
from escalator.upgrade_manager.domains import domain_of
from escalator.upgrade_manager.drains import plan_drain
from escalator.upgrade_manager.prechecks import check_servers

log = logging.getLogger("escalator.steps.migrate")

PATIENCE = timedelta(seconds=60)
"""How long a busy server may be without a migration on record."""
REST_SECONDS = 2.0
GOES_WITHOUT_MOVE = frozenset({"shelved_offloaded", "deleted"})
"""vm_states of servers that are on no node, whatever the record says."""


def migrate(ctx: StepContext) -> StepResult:
    """Empty the node: first attempt as precheck planned, later ones by what is there now."""
    lease = ctx.ensure_leased().lease
    if lease is not None and lease.mark is not None:
        message = f"{ctx.host} gave up its place ({lease.mark}): clear {ctx.host}.admit with downstream"
        return StepResult(outcome=Outcome.HELD, code=Code.LEASE_LOST, message=message)
    if ctx.fact("drain_started") is None:
        plan = drain_plan_from_document(ctx.host, ctx.fact("drain_plan"))
        ctx.put_fact("drain_started", ctx.now().isoformat())
        drain = _drain(ctx)
        drain.adopt(plan, ())
        faults: tuple[str, ...] = ()
    else:
        drain, faults = _resume(ctx)
    ctx.progress(NodeState.MIGRATING, message=f"{len(drain.waiting) + len(drain.flying)} server(s) to move")
    drain.run()
    left = faults + tuple(drain.held) + _left(ctx, drain)
    details = {"moved": sum(r.succeeded for r in drain.ended), "attempts": len(drain.ended)}
    if left:
        return StepResult(outcome=Outcome.HELD, code=drain.code, message="; ".join(left), details=details)
    ctx.progress(NodeState.EMPTY, message=f"{details['moved']} server(s) moved")
    return StepResult(message=f"{details['moved']} server(s) moved, the node is empty", details=details)


def _drain(ctx: StepContext) -> Drain:
    started = datetime.fromisoformat(str(ctx.fact("drain_started")))
    after = ctx.fact("last_migration")
    since = started - timedelta(minutes=5)
    return Drain(ctx=ctx, since=since, after_id=after if isinstance(after, int) else 0)


def _resume(ctx: StepContext) -> tuple[Drain, tuple[str, ...]]:
    """Plan afresh: an earlier attempt began, or somebody asks for another one."""
    drain = _drain(ctx)
    snapshot = ctx.cloud.fetch_snapshot(
        ctx.plan.request.cloud,
        domain_of=domain_of,
        target_version=ctx.plan.target_version,
        node_versions={h: str(v) for h, v in ctx.ledger.facts(*ctx.campaign.key, "version").items()},
    )
    servers, migrations = _come_to_rest(ctx, drain.since)
    away = [m for m in migrations if _ours_to_land(m, ctx.host)]
    moving = {m.server_id for m in away}
    snapshot = ctx.cloud.fetch_snapshot(
        ctx.plan.request.cloud,
        domain_of=domain_of,
        target_version=ctx.plan.target_version,
        node_versions={h: str(v) for h, v in ctx.ledger.facts(*ctx.campaign.key, "version").items()},
    )
    verdicts = check_servers(tuple(s for s in servers if s.id not in moving), ())
    replanned = plan_drain(snapshot, ctx.host, verdicts)
    names = {s.id: s.name for s in snapshot.servers}
    flights = tuple(_adopted(m, names) for m in away)
    moves = tuple(m for m in replanned.moves if m.server_id not in moving)
    plan = DrainPlan(host=ctx.host, moves=flights + moves)
    ctx.put_fact("drain_plan", drain_plan_to_document(plan))
    drain.adopt(plan, away)
    drain.after_id = max([drain.after_id, *(m.id for m in migrations)])
    return drain, tuple(str(v) for v in blockers(replanned.verdicts) if v.subject.id not in moving)


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


def _ours_to_land(migration: Migration, host: str) -> bool:
    """Tell whether a migration takes a server away from the node; a resize waits for its owner."""
    away = migration.source_host == host and migration.status.unfinished
    return away and migration.type in {"live-migration", "migration"}


def _adopted(migration: Migration, names: dict[str, str]) -> PlannedMove:
    """Make the move of a migration that an earlier attempt requested."""
    live = migration.type == "live-migration"
    return PlannedMove(
        server_id=migration.server_id,
        server_name=names.get(migration.server_id, migration.server_id),
        method=MoveMethod.LIVE if live else MoveMethod.COLD,
        destinations=(migration.dest_host,) if migration.dest_host else (),
    )


def _left(ctx: StepContext, drain: Drain) -> tuple[str, ...]:
    """Say what keeps the node from being empty: servers on it, or migrations in or out."""
    if drain.held:
        return ()
    servers = [s for s in ctx.cloud.fetch_servers(ctx.host) if s.vm_state not in GOES_WITHOUT_MOVE]
    return tuple(f"server {s.name} ({s.id}) is still on {ctx.host}, {s.vm_state}" for s in servers)
