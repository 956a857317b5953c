"""Precheck: look at the node and its servers again, after the disable, and say every blocker at once.

Reads only, and saves what the node has; a second run reads again. What it finds becomes the drain plan that
migrate carries out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from escalator.cloud_manager.ports import add_features
from escalator.model.campaign import NodeState
from escalator.model.cloud import CloudSnapshot, Migration, MigrationStatus, Server
from escalator.model.errors import ForbiddenError, LoginRefusedError, NodeFaultError, TransientError
from escalator.model.moves import DrainPlan
from escalator.model.node_software import Software
from escalator.model.step import Outcome
from escalator.model.verdict import Code, Subject, Verdict, find_blockers
from escalator.steps.moving.planning import plan_node_drain
from escalator.steps.proving.placement import find_totals, record_before
from escalator.steps.running.context import StepContext
from escalator.steps.running.node_versions import list_others
from escalator.steps.running.patience import Patience
from escalator.steps.running.results import StepResult
from escalator.steps.saving.node_backup import save_node
from escalator.steps.saving.server_images import list_images, save_servers
from escalator.steps.stopping.rule import describe_staying
from escalator.system_support.node_software import read_software
from escalator.system_support.nova_settings import read_migration_settings
from escalator.upgrade_manager.drain.busy_servers import check_settings
from escalator.upgrade_manager.drain.prechecks import PASSING, are_settled, check_servers, find_ongoing
from escalator.upgrade_manager.state.hypervisors import hypervisor_of
from escalator.upgrade_manager.state.resources import count_totals

log = logging.getLogger("escalator.steps.precheck")

SETTLE_SECONDS = 1.0
"""Pause between two reads that must agree."""
PATIENCE = timedelta(minutes=10)
"""How long servers may come and go, or migrations into the node go on, before the node is held."""
RECENT = timedelta(hours=1)
"""Migrations that changed before that are looked at once, in the snapshot."""


def precheck(ctx: StepContext) -> StepResult:
    """Check the node and its servers; hold the node with every blocker, or plan its drain."""
    ctx.ensure_leased()
    held = save_node(ctx) or _stage_again(ctx) or save_servers(ctx)
    if held is not None:
        return held
    plan, servers, last, totals, leaving = _settled_plan(ctx)
    of_placement: tuple[Verdict, ...] = ()
    if ctx.facts.upgrade_begun is None:
        ctx.remember(totals=find_totals(ctx, totals))
        of_placement = record_before(ctx)
    of_node, software = _look_at_node(ctx, leaving)
    _record_components(ctx, software)
    verdicts = plan.verdicts + of_node + of_placement
    for verdict in verdicts:
        log.log(logging.WARNING if verdict.blocks else logging.INFO, "%s", verdict)
    blocking = find_blockers(verdicts)
    details = {"servers": servers, "verdicts": [str(v) for v in verdicts], "software": dict(software)}
    if ctx.facts.images:
        details["images"] = list_images(ctx)
    if blocking:
        message = f"{len(blocking)} blocker(s): " + "; ".join(str(v) for v in blocking)
        return StepResult(outcome=Outcome.HELD, code=blocking[0].code, message=message, details=details)
    ctx.remember(drain_plan=plan, last_migration=last, drain_started=None, cold_asked=(), verified=None)
    ctx.remember(asked_round=None, addresses=None, holders=None, agreement=None)
    ctx.remember(agents=tuple(agent.binary for agent in ctx.cloud.fetch_agents(ctx.host) if agent.alive))
    message = f"{len(plan.moves)} server(s) to move{describe_staying(plan)}, no blocker"
    ctx.progress(NodeState.CHECKED, message=message)
    return StepResult(message=message, details=details)


def _record_components(ctx: StepContext, software: Software) -> None:
    """Record what the node has of the bundle's components, where nobody did before it was changed."""
    known = ctx.facts.from_components or {}
    found = list_others(ctx.campaign.bundle, software)
    if ctx.facts.upgrade_begun is None and not found.keys() <= known.keys():
        ctx.remember(from_components={**found, **known})


def _stage_again(ctx: StepContext) -> StepResult | None:
    """Stage what prepare could not, or see that it is whole, before a server is moved for it.

    :return: why the node is given back; None when the bundle is laid down.
    """
    try:
        ctx.campaign.mechanism.stage(ctx.node_job("stage"))
    except LoginRefusedError:
        raise
    except NodeFaultError as exc:
        why = _find_why(ctx)
        message = "; ".join((str(exc), *map(str, why)))
        code = exc.code or (why[0].code if why else Code.STAGE_FAILED)
        return StepResult(outcome=Outcome.HELD, code=code, message=message)
    return None


def _find_why(ctx: StepContext) -> tuple[Verdict, ...]:
    """Find what is in the way of staging, as a check tells it: a job has an exit code and a tool's words."""
    try:
        with ctx.campaign.shell(ctx.host) as shell:
            return find_blockers(ctx.campaign.mechanism.check(shell))
    except (NodeFaultError, TransientError) as exc:
        log.info("%s: why it cannot be staged is not looked at: %s", ctx.host, exc)
        return ()


class _Settled(NamedTuple):
    """The plan, how many servers are on the node, the id of its newest migration (0: none), what it has.

    ``leaving``: the servers that the plan moves.
    """

    plan: DrainPlan
    servers: int
    last_migration: int
    totals: Mapping[str, int]
    leaving: tuple[Server, ...]


def _settled_plan(ctx: StepContext) -> _Settled:
    """Read until two reads agree and nothing is on its way to the node, or patience ends; then plan.

    Busy servers are planned like the others: migrate waits for them while the others move.
    """
    patience = Patience(ctx=ctx)
    patience.ask(lambda: ctx.cloud.delete_canaries(ctx.host))
    begun = ctx.now()
    before = _fetch_servers(ctx, patience)
    while True:
        ctx.campaign.sleep(SETTLE_SECONDS)
        patience.ask(ctx.ensure_leased)
        servers = _fetch_servers(ctx, patience)
        migrations = patience.ask(lambda: ctx.cloud.fetch_migrations(host=ctx.host, since=begun - RECENT))
        ongoing = find_ongoing(migrations, servers, ctx.now())
        verdicts = check_servers(servers, ongoing, host=ctx.host)
        passing = any(v.blocks and v.code in PASSING for v in verdicts)
        passing = passing or _is_to_be_confirmed(ctx, patience, ongoing)
        patient = ctx.now() <= begun + PATIENCE + patience.away
        settled = are_settled(before, servers)
        if patient and (passing or not settled):
            before = servers
            continue
        snapshot = _fetch_snapshot(ctx, patience)
        on_node = snapshot.servers_on(ctx.host)
        settled = settled and are_settled(servers, on_node)
        if settled or not patient:
            break
        before = on_node
    last = max((m.id for m in migrations), default=0)
    return _plan(ctx, snapshot, () if settled else (_unsettled(ctx.host),), last)


def _plan(ctx: StepContext, snapshot: CloudSnapshot, besides: tuple[Verdict, ...], last: int) -> _Settled:
    """Find what is in the way of each server of the node, and plan where the others go."""
    on_node, node = snapshot.servers_on(ctx.host), snapshot.node(ctx.host)
    moving = find_ongoing(snapshot.migrations, snapshot.servers, ctx.now())
    here = [m for m in moving if ctx.host in {m.source_host, m.dest_host}]
    verdicts = (*check_servers(on_node, here, host=ctx.host, hypervisor=hypervisor_of(node)), *besides)
    plan = plan_node_drain(ctx, snapshot, verdicts, anew=True)
    moved = {move.server_id for move in plan.moves}
    leaving = tuple(server for server in on_node if server.id in moved)
    return _Settled(plan, len(on_node), last, count_totals(node), leaving)


def _fetch_snapshot(ctx: StepContext, patience: Patience) -> CloudSnapshot:
    """Read the cloud, with what ports and shares of the node's servers say of their moves.

    One call more for the ports, and one for each server where the cloud has Manila.
    """
    snapshot = patience.ask(ctx.fetch_snapshot)
    ports = patience.ask(lambda: ctx.cloud.fetch_port_features(ctx.host))
    servers = add_features(snapshot.servers, ports)
    here = [server.id for server in snapshot.servers_on(ctx.host)]
    try:
        shares = patience.ask(lambda: ctx.cloud.fetch_share_features(here))
    except ForbiddenError as exc:
        log.warning("whether servers have shares is not checked, Nova refuses their moves: %s", exc)
        shares = {}
    return replace(snapshot, servers=add_features(servers, shares))


def _is_to_be_confirmed(ctx: StepContext, patience: Patience, ongoing: Iterable[Migration]) -> bool:
    """Tell whether a cold migration to the node waits for the drain of a node that a campaign has out."""
    to_here = (m for m in ongoing if m.dest_host == ctx.host and m.type == "migration")
    sources = {m.source_host for m in to_here if m.status is MigrationStatus.FINISHED}
    if not sources:
        return False
    services = patience.ask(ctx.cloud.fetch_services)
    return any(s.host in sources and s.counting_lease is not None for s in services)


def _fetch_servers(ctx: StepContext, patience: Patience) -> tuple[Server, ...]:
    return patience.ask(lambda: ctx.cloud.fetch_servers(ctx.host))


def _unsettled(host: str) -> Verdict:
    return Verdict(
        code=Code.SERVERS_UNSETTLED,
        message="servers still come and go",
        subject=Subject.of_node(host),
        remedy="wait until they rest, then clear the node's admit task with downstream",
    )


def _look_at_node(
    ctx: StepContext, leaving: tuple[Server, ...]
) -> tuple[tuple[Verdict, ...], Mapping[str, str]]:
    """Check what the upgrade will need on the node itself, and what its Nova allows those that leave.

    :return: what was found, and what the node runs now.
    """
    mechanism, subject = ctx.campaign.mechanism, Subject.of_node(ctx.host)
    with ctx.campaign.shell(ctx.host) as shell:
        found = mechanism.check(shell)
        settings = read_migration_settings(shell) if leaving and mechanism.brings_software else None
        software = read_software(shell) if ctx.campaign.reads_software else {}
    if settings is not None:
        found = (*found, *check_settings(settings, leaving, ctx.plan.expected, subject))
    return found, software
