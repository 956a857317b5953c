"""Masakari's host of a node is on maintenance while the node is out; what others set stays."""

from __future__ import annotations

import logging
from dataclasses import replace

from escalator.model.errors import NotFoundError
from escalator.model.watchers import MaintenanceFlag, SegmentHost
from escalator.steps.running.context import StepContext

log = logging.getLogger("escalator.steps.watching.maintenance")


def begin_maintenance(ctx: StepContext) -> None:
    """Put a node's host on maintenance, before its lease is taken; a second run writes nothing.

    That it is about to be is remembered first. A flag that was there already is left to whoever set it; one
    that an earlier run left on a node that stayed out is this run's from now on.

    :raises TransientError: Masakari does not answer, or changes nothing now.
    """
    masakari = ctx.cloud.instance_ha
    host = masakari.find_host(ctx.host) if masakari.exists() else None
    if host is None:
        return
    known = ctx.facts.maintenance
    if not host.on_maintenance:
        ctx.ensure_current()
        ctx.remember(
            maintenance=MaintenanceFlag(segment_id=host.segment_id, host_id=host.id, set_at=ctx.now())
        )
        masakari.ensure_maintenance(host.segment_id, host.id, on=True)
        log.info("%s: on_maintenance is set in Masakari", ctx.host)
    elif known is None or known.cleared_at is not None:
        _take_over(ctx, host)


def end_maintenance(ctx: StepContext) -> None:
    """Take a node's host off maintenance if a run put it there; a second run writes nothing.

    :raises TransientError: Masakari does not answer, or changes nothing now.
    """
    flag = ctx.facts.maintenance
    if flag is None or flag.cleared_at is not None:
        return
    ctx.ensure_current()
    try:
        ctx.cloud.instance_ha.ensure_maintenance(flag.segment_id, flag.host_id, on=False)
        log.info("%s: on_maintenance is cleared in Masakari", ctx.host)
    except NotFoundError:
        log.warning("%s: it is in its segment of Masakari no more: nothing to clear", ctx.host)
    ctx.remember(maintenance=replace(flag, cleared_at=ctx.now()))


def _take_over(ctx: StepContext, host: SegmentHost) -> None:
    """Take over the flag of an earlier run whose node stayed out; leave one of a person alone."""
    book = ctx.campaign.watches
    left = book.find_flag(ctx.plan.request.cloud, ctx.host) if book is not None else None
    if left is None or left.host_id != host.id or left.cleared_at is not None:
        log.info("%s: is on maintenance in Masakari already, and not by a run: that stays so", ctx.host)
        return
    ctx.remember(maintenance=replace(left, segment_id=host.segment_id))
    log.info("%s: on_maintenance was set in Masakari by an earlier run: this one clears it", ctx.host)
