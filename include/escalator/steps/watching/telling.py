"""Telling all that watch the cloud of one node: that it goes out, and that it is back."""

from __future__ import annotations

import logging

from escalator.model.cloud import CloudSnapshot, ServiceStatus
from escalator.model.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    TransientError,
)
from escalator.model.verdict import Code
from escalator.model.watchers import StopSign
from escalator.steps.running.context import StepContext
from escalator.steps.watching.maintenance import begin_maintenance, end_maintenance
from escalator.steps.watching.silences import begin_silence, end_earlier_silences, end_silence
from escalator.upgrade_manager.drain.durations import estimate_node_seconds

log = logging.getLogger("escalator.steps.watching")


def begin_watching(ctx: StepContext, snapshot: CloudSnapshot) -> StopSign | None:
    """Tell those that watch the cloud that a node goes out; its lease is taken after that.

    :param snapshot: the cloud as it is.
    :return: why it has to wait: one of them was not told for sure; None: it may go.
    """
    expected = estimate_node_seconds(snapshot.servers_on(ctx.host), ctx.plan.expected).p90
    try:
        begin_maintenance(ctx)
        begin_silence(ctx, expected)
    except (TransientError, InvalidRequestError, NotFoundError, ConflictError) as exc:
        message = f"the node does not go before all that watch the cloud know of it: {exc}"
        return StopSign(code=Code.WATCHER_SILENT, message=message, hosts=frozenset({ctx.host}))
    return None


def end_watching(ctx: StepContext) -> tuple[str, ...]:
    """Tell them that a node is back; a second run tells nobody.

    :return: what is not as it was, in words.
    :raises TransientError: another attempt may tell it.
    """
    left = (*end_silence(ctx), *end_earlier_silences(ctx))
    end_maintenance(ctx)
    return left


def take_back_unless_out(ctx: StepContext, snapshot: CloudSnapshot) -> None:
    """Take back what an attempt told that did not get the node's lease.

    A node that is out stays as it is: one under the run's own lease, or one that was touched, whoever has it.

    :param snapshot: the cloud as it is.
    """
    facts, node = ctx.facts, snapshot.node(ctx.host)
    if facts.maintenance is None and facts.silencing is None:
        return
    enabled = node is not None and node.status is ServiceStatus.ENABLED
    ours = node is not None and node.disabled_reason in facts.leases
    if enabled or not (ours or facts.touched):
        take_back(ctx)


def take_back(ctx: StepContext) -> None:
    """Take back what was told of a node that did not go; what cannot be now, its release takes back."""
    try:
        for words in end_silence(ctx):
            log.warning("%s: %s", ctx.host, words)
        end_maintenance(ctx)
    except (TransientError, InvalidRequestError, ConflictError) as exc:
        log.warning("%s: what was told of it is not all taken back yet: %s", ctx.host, exc)
