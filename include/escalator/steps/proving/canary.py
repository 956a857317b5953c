"""The canary of a node: it boots there; where that is wanted another comes from a peer and goes back."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from escalator.model.errors import ConflictError, EscalatorError, NodeFaultError, TransientError
from escalator.model.verdict import Code, Subject, Verdict
from escalator.steps.running.context import StepContext
from escalator.upgrade_manager.drain.canary_peers import CanaryPeer, choose_peers

log = logging.getLogger("escalator.steps.proving.canary")

PEERS = 2
"""Nodes that are tried: that a canary does not boot there says nothing of the node that is proved."""


def prove_by_canaries(ctx: StepContext) -> tuple[Verdict, ...]:
    """Boot a canary on the node, move another one in and out; nothing of them stays behind."""
    if ctx.campaign.canary.off:
        log.warning("%s: no canary is booted: the operator switched canaries off", ctx.host)
        return ()
    ctx.ensure_current()
    try:
        ctx.cloud.run_canary(ctx.host, tag=_tag(ctx), wish=ctx.campaign.canary)
    except TransientError:
        raise
    except EscalatorError as exc:
        return _fault(ctx, Code.CANARY_FAILED, str(exc), "read the server's fault in nova-compute's log")
    return _move_in_and_out(ctx) if ctx.plan.request.canary_move_seconds else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limit:
    """When all moves have to be over."""

    ctx: StepContext
    until: datetime

    @property
    def left_seconds(self) -> float:
        return max(1.0, (self.until - self.ctx.now()).total_seconds())


def _move_in_and_out(ctx: StepContext) -> tuple[Verdict, ...]:
    """Do with a canary what the next drain does with servers: bring it here from another node, and away."""
    wish = ctx.campaign.canary
    canary = ctx.cloud.canaries.describe(ctx.host, wish=wish)
    peers = choose_peers(ctx.fetch_snapshot(), canary, pending=ctx.plan.hosts)
    if not peers:
        log.warning("%s: no canary is moved in: no other node of its domain takes one now", ctx.host)
        return ()
    limit = _Limit(ctx=ctx, until=ctx.now() + timedelta(seconds=ctx.plan.request.canary_move_seconds))
    try:
        faults: list[str] = []
        for peer in peers[:PEERS]:
            server_id = _boot(ctx, peer, limit, faults)
            if server_id is not None:
                _move(ctx, server_id, peer, limit)
                return ()
    except TransientError:
        raise
    except EscalatorError as exc:
        remedy = exc.remedy or "read nova-compute's log on both nodes"
        return _fault(ctx, Code.CANARY_NOT_MOVED, f"a canary does not move: {exc.message}", remedy)
    finally:
        ctx.cloud.delete_canaries(ctx.host)
    remedy = "look at those nodes, or start the run with canary_move_seconds 0"
    return _fault(ctx, Code.CANARY_NOT_MOVED, f"no canary to move in: {'; '.join(faults)}", remedy)


def _boot(ctx: StepContext, peer: CanaryPeer, limit: _Limit, faults: list[str]) -> str | None:
    """Boot a canary on another node; what keeps it from starting there is noted."""
    ctx.ensure_current()
    canaries = ctx.cloud.canaries
    try:
        server_id = canaries.boot(
            ctx.host, run_tag=f"{_tag(ctx)}-{peer.host}", wish=ctx.campaign.canary, at=peer.host
        )
        canaries.wait(server_id, peer.host, timeout_seconds=limit.left_seconds)
    except NodeFaultError as exc:
        log.warning("%s: no canary from %s: %s", ctx.host, peer.host, exc)
        faults.append(f"{peer.host}: {exc.message}")
        return None
    return server_id


def _move(ctx: StepContext, server_id: str, peer: CanaryPeer, limit: _Limit) -> None:
    """Move it in, past the scheduler as the node is disabled, and out as any server, where Nova allows that.

    :raises NodeFaultError: it does not arrive in time.
    """
    canaries = ctx.cloud.canaries
    ctx.ensure_current()
    try:
        canaries.move(server_id, ctx.host, forced=True, timeout_seconds=limit.left_seconds)
        canaries.check_ports(server_id, ctx.host)
        if not peer.takes_back:
            log.info("%s: its canary came from %s, whose hypervisor is older", ctx.host, peer.host)
            return
        ctx.ensure_current()
        canaries.move(server_id, peer.host, forced=False, timeout_seconds=limit.left_seconds)
    except ConflictError as exc:
        raise NodeFaultError(exc.message, remedy="clear this task: somebody else moved the canary") from exc
    log.info("%s: a canary came from %s and went back", ctx.host, peer.host)


def _tag(ctx: StepContext) -> str:
    return ctx.plan.lease(ctx.host).token


def _fault(ctx: StepContext, code: Code, message: str, remedy: str) -> tuple[Verdict, ...]:
    return (Verdict(code=code, message=message, subject=Subject.of_node(ctx.host), remedy=remedy),)
