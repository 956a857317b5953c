"""Save what a node has, once a run, before anything on it is changed; the node is only read."""

from __future__ import annotations

import logging

from escalator.backups.desk import BackupDesk
from escalator.backups.keeper import BackupOf
from escalator.model.backup import BackupRecord
from escalator.model.errors import EscalatorError, TransientError
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.running.context import StepContext
from escalator.steps.running.results import StepResult
from escalator.system_support.backup.contents import make_wish, needs_backup

log = logging.getLogger("escalator.steps.saving.node_backup")

PAUSES_SECONDS = (5.0, 15.0, 40.0)
"""Pauses before a store that does not answer is asked again: the node is out of service meanwhile."""


def save_node(ctx: StepContext) -> StepResult | None:
    """Take the backup of the node, unless this run has it; a second run finds it, or takes it anew.

    None is taken where no store is set, where the bundle changes nothing on a node, and once its software was
    touched: that would save the new state.

    :return: why the node is given back; None when it may be changed.
    :raises TransientError: the node does not answer; another attempt may mend it.
    """
    desk = ctx.campaign.backups
    if desk is None or not needs_backup(ctx.campaign.bundle):
        return None
    of = desk.name(ctx.plan, ctx.campaign.bundle.name, ctx.host)
    if desk.book.find(of.id) is not None:
        return None
    if ctx.facts.upgrade_begun is not None:
        log.warning("%s: no backup is taken, its software was touched already", ctx.host)
        return None
    try:
        taken = _take(ctx, desk, of)
    except EscalatorError as exc:
        if exc.code is not Code.BACKUP_FAILED:  # the node itself: its log-in, its host key, its connection
            raise
        return StepResult(outcome=Outcome.HELD, code=exc.code, message=f"{ctx.host} is not saved: {exc}")
    ctx.ensure_current()
    desk.book.record(taken)
    log.info("%s: saved as %s, %d bytes, read back", ctx.host, taken.id, taken.size_bytes)
    return None


def _take(ctx: StepContext, desk: BackupDesk, of: BackupOf) -> BackupRecord:
    """Take it; a store that does not answer is asked again for a minute, under the lease no longer."""
    wish = make_wish(ctx.campaign.bundle, desk.paths)
    pauses = iter(PAUSES_SECONDS)
    while True:
        try:
            with ctx.campaign.connect(ctx.host) as shell:
                return desk.keeper.save_node(of, shell, wish, confirm=ctx.ensure_current)
        except TransientError as exc:
            pause = next(pauses, None)
            if exc.code is not Code.BACKUP_FAILED or pause is None:
                raise
            log.warning("%s: the store is asked again in %.0f s: %s", ctx.host, pause, exc)
        desk.close()
        ctx.campaign.sleep(pause)
