"""Whether Placement has of a node what it had before, and nothing allocated that is nobody's."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from escalator.model.bundle import COMPUTE
from escalator.model.errors import NotFoundError
from escalator.model.moves import DrainPlan
from escalator.model.verdict import Code, Severity, Subject, Verdict
from escalator.model.wording import name_some
from escalator.steps.running.context import StepContext
from escalator.upgrade_manager.state.resources import find_changes, find_gained, find_strays
from escalator.upgrade_manager.versions.comparison import Order, compare_versions
from escalator.upgrade_manager.versions.release_version import Scheme

log = logging.getLogger("escalator.steps.proving.placement")
_OF_DRIVERS = ("COMPUTE_*", "HW_*", "OWNER_*")
"""Traits that nova-compute reports by itself, the more the newer it is; operators set CUSTOM_ ones."""


def record_before(ctx: StepContext) -> tuple[Verdict, ...]:
    """Remember what Placement has of a node whose software was not touched; name what is nobody's already.

    What is nobody's is looked for once a run: what a drain of this run left is never taken for older.
    """
    try:
        provider_id = ctx.cloud.fetch_hypervisor(ctx.host).id
        provider = ctx.cloud.providers.fetch_provider(provider_id)
    except NotFoundError as exc:
        log.warning("%s: it is not known what Placement has of it: %s", ctx.host, exc)
        ctx.remember(provider=None)
        return ()
    if ctx.plan.undoes is not None:  # what the upgrade changed comes back, and the node may be broken now
        provider = replace(provider, inventory={}, traits=())
    ctx.remember(provider=provider)
    strays = ctx.facts.strays
    if strays is None:
        strays = _find_strays(ctx, provider_id)
        ctx.remember(strays=strays)
    return (_describe_strays(ctx, provider_id, strays, Severity.WARNING),) if strays else ()


def find_totals(ctx: StepContext, now: Mapping[str, int]) -> Mapping[str, int]:
    """Return what a node has to have of each resource class when it is proved: what it has now.

    One that is taken back has to have what it had before the run that is taken back: what came with the
    newer release goes with it, and what a broken node lacks now has to be there again.

    :raises InvalidRequestError: what is remembered of it cannot be read.
    """
    undone = ctx.plan.undoes
    before = ctx.run.beside(undone.campaign, undone.run_id).facts(ctx.host).totals if undone else None
    return now if before is None else before


def check_identity(ctx: StepContext, provider_id: str) -> tuple[Verdict, ...]:
    """See that the node has the resource provider that it had: a new one is in no aggregate.

    :param provider_id: that it has now, which is the id of its hypervisor.
    """
    before = ctx.facts.provider
    if before is None or before.id == provider_id:
        return ()
    return (_changed(ctx, [f"resource provider {before.id} -> {provider_id}"]),)


def check_provider(ctx: StepContext) -> tuple[Verdict, ...]:
    """Compare what Placement has of the node with what it had, but for what the bundle says it changes."""
    before = ctx.facts.provider
    if before is None:
        return ()  # a run of an earlier release, or Placement knew nothing of it
    try:
        now = ctx.cloud.providers.fetch_provider(before.id)
    except NotFoundError as exc:
        return (_changed(ctx, [str(exc)]),)
    changes = find_changes(before, now, _find_expected(ctx))
    if changes:
        return (_changed(ctx, changes),)
    gained = find_gained(before, now)
    if gained and before.traits:
        log.info("%s: Placement has of it now as well: %s", ctx.host, ", ".join(gained))
    return ()


def check_allocations(ctx: StepContext) -> tuple[Verdict, ...]:
    """Look for allocations on the node that are nobody's and were not there before its drain.

    Those of servers that were deleted while they moved are told and fail no node: what the migration of such
    a server holds on its node is left there by Nova for good, whoever moved it.
    """
    known, provider = ctx.facts.strays, ctx.facts.provider
    if known is None or provider is None:
        return ()
    try:
        left = set(_find_strays(ctx, provider.id)) - set(known)
    except NotFoundError:
        return ()  # the provider is another one: said by who compares it
    deleted = _find_deleted(ctx, left) if left else set()
    if left - deleted:
        strays = tuple(sorted(left - deleted))
        return (_describe_strays(ctx, provider.id, strays, Severity.BLOCKER),)
    if deleted:
        log.warning(
            "%s; the servers were deleted while they moved, so the node is good all the same",
            _describe_strays(ctx, provider.id, tuple(sorted(deleted)), Severity.WARNING),
        )
    return ()


def _find_deleted(ctx: StepContext, strays: set[str]) -> set[str]:
    """Find those of servers that were deleted during the run: Nova forgets a server's migrations with it.

    They are such a server's own, those of its move as the ledger has it, or of a move whose record nobody
    had seen yet: Nova knows neither a server nor a migration of that id, and no more of them are there than
    servers were deleted. Calls: one for each server that was to leave and each stray, one for migrations.
    """
    moves, plan = ctx.run.moves(ctx.host), ctx.facts.drain_plan
    planned = plan.moves if isinstance(plan, DrainPlan) else ()
    were_here = {m.server_id for m in moves} | {m.server_id for m in planned}
    deleted = {server_id for server_id in were_here if _is_deleted(ctx, server_id)}
    if not deleted:
        return set()
    owners = {m.migration: m.server_id for m in moves} | {server_id: server_id for server_id in were_here}
    found = {stray for stray in strays if owners.get(stray) in deleted}
    known = {migration.uuid for migration in ctx.cloud.fetch_migrations(host=ctx.host)}
    forgotten = {s for s in strays - found if s not in owners and s not in known and _is_deleted(ctx, s)}
    room = deleted - {owners[stray] for stray in found}
    return found | forgotten if len(forgotten) <= len(room) else found


def _is_deleted(ctx: StepContext, server_id: str) -> bool:
    try:
        ctx.cloud.fetch_server(server_id)
    except NotFoundError:
        return True
    return False


def _find_expected(ctx: StepContext) -> tuple[str, ...]:
    """Return what may change: what the bundle says, and with an older release what only newer ones report."""
    bundle, was = ctx.campaign.bundle, ctx.facts.from_version
    scheme = next((c.scheme for c in bundle.components if c.name == COMPUTE), Scheme.PBR)
    goes_back = was is not None and compare_versions(was, ctx.plan.target_version, scheme) is Order.NEWER
    return (*bundle.expected_changes, *(_OF_DRIVERS if goes_back else ()))


def _changed(ctx: StepContext, changes: Sequence[str]) -> Verdict:
    return Verdict(
        code=Code.PROVIDER_CHANGED,
        message=f"Placement has of it not what it had before its upgrade: {'; '.join(changes)}",
        subject=Subject.of_node(ctx.host),
        remedy="put it right (nova.conf and nova-compute's log on the node, openstack aggregate show), then "
        f"clear {ctx.host}.verify with downstream; what the bundle means to change stands in its "
        "expected_changes",
    )


def _find_strays(ctx: StepContext, provider_id: str) -> tuple[str, ...]:
    """Find them in one call, two where servers stay, three where something is not known."""
    consumers = ctx.cloud.providers.fetch_consumers(provider_id)
    servers = ctx.cloud.fetch_servers(ctx.host) if consumers else ()
    unknown = find_strays(consumers, servers, ())
    return find_strays(unknown, (), ctx.cloud.fetch_migrations(host=ctx.host)) if unknown else ()


def _describe_strays(
    ctx: StepContext, provider_id: str, strays: tuple[str, ...], severity: Severity
) -> Verdict:
    return Verdict(
        code=Code.ALLOCATION_LEFT,
        message=f"allocations are left over in Placement of {name_some(strays)}: no server on the "
        "node and no migration that goes on",
        subject=Subject.of_node(ctx.host),
        severity=severity,
        remedy=f"see where each is (openstack server show), then nova-manage placement audit "
        f"--resource_provider {provider_id} --delete"
        + (f", then clear {ctx.host}.verify with downstream" if severity is Severity.BLOCKER else ""),
    )
