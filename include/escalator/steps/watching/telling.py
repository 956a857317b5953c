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

log = logging.getLogger("escalator.steps.watching")


def begin_watching(ctx: StepContext) -> StopSign | None:
    """Tell those that watch the cloud that a node goes out; its lease is taken after that.

    :return: why it has to wait: one of them was not told for sure; None: it may go.
    """
    try:
        begin_maintenance(ctx)
    except (TransientError, InvalidRequestError, NotFoundError, ConflictError) as exc:
        message = f"the node does not go before Masakari has it on maintenance: {exc}"
        return StopSign(code=Code.WATCHER_SILENT, message=message, hosts=frozenset({ctx.host}))
    return None


def end_watching(ctx: StepContext) -> tuple[str, ...]:
    """Tell them that a node is back; a second run tells nobody.

    :return: what is not as it was, in words.
    :raises TransientError: another attempt may tell it.
    """
    end_maintenance(ctx)
    return ()


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
        end_watching(ctx)
    except (TransientError, InvalidRequestError, ConflictError) as exc:
        log.warning("%s: what was told of it is not all taken back yet: %s", ctx.host, exc)
