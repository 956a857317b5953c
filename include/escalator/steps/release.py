"""Release: give the node back exactly as it was found, or leave it out with the reason why.

Runs whatever happened before. It never enables a node that was not verified, nor one that a person disabled.
A second run finds the node as it should be and writes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from escalator.model.campaign import NodeProgress, NodeState
from escalator.model.cloud import ComputeService, ServiceState, ServiceStatus
from escalator.model.errors import (
    EscalatorError,
    LeaseLostError,
    LoginRefusedError,
    NodeFaultError,
    TransientError,
)
from escalator.model.lease import Lease, LeaseMark, LeasePhase
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.running.context import StepContext
from escalator.steps.running.login_patience import bear_refusal
from escalator.steps.running.ordered import find_hold
from escalator.steps.running.results import StepResult
from escalator.steps.stopping.start_servers import start_left
from escalator.steps.switching.managers import tell_of_return
from escalator.steps.switching.own_means import restore_services
from escalator.steps.switching.standby_moves import settle_standby_move
from escalator.steps.verify import prove
from escalator.steps.watching.telling import end_watching

log = logging.getLogger("escalator.steps.release")

WORDS_LENGTH = 120
"""Characters of the reason that are written into the lease's words."""
PROOF_HOLDS = timedelta(minutes=10)
"""How old a proof may be; after that the node is proved anew before it is enabled."""


def release(ctx: StepContext) -> StepResult:
    """Bring the node's service to where the steps before entitle it."""
    with suppress(LeaseLostError):
        settle_standby_move(ctx)
    service = ctx.cloud.fetch_service(ctx.host)
    before = ctx.run.progress(ctx.host)
    result = _end_or_leave(ctx, service)
    said = "".join(f"; {verdict}" for verdict in start_left(ctx, before))
    return replace(result, message=f"{result.message}{said}")


def _end_or_leave(ctx: StepContext, service: ComputeService) -> StepResult:
    try:
        if ctx.holds(service) and service.lease is not None:
            ctx.ensure_current()
            return _end(ctx, service, service.lease)
    except LeaseLostError:
        service = ctx.cloud.fetch_service(ctx.host)
    return _not_ours(ctx, service)


def _end(ctx: StepContext, service: ComputeService, lease: Lease) -> StepResult:
    """Give the node back, or leave it out, by what lease and ledger say."""
    progress = ctx.run.progress(ctx.host)
    if _is_verified(progress, lease):
        refused = None if _is_fresh(ctx, service) else _look_again(ctx)
        if refused is not None:
            code = refused.code or Code.NOT_VERIFIED
            return _leave_out(ctx, lease.at(LeasePhase.UPGRADING), LeaseMark.FAILED, code, refused.message)
        ordered = find_hold(ctx)
        if ordered is not None:
            return _leave_out(ctx, lease, LeaseMark.HELD, Code.ORDER_HOLD, ordered.message)
        return _give_back(ctx, NodeState.RELEASED, message=progress.message)
    if _is_untouched(ctx, progress, lease):
        given_up = progress if progress.state in {NodeState.HELD, NodeState.SKIPPED} else None
        return _give_back(ctx, given_up.state if given_up else NodeState.HELD, *_find_cause(progress))
    before = ctx.facts.upgrade_begun is None and progress.state is not NodeState.FAILED
    before = before or _is_held_when_proved(progress, lease)
    mark = LeaseMark.HELD if before else LeaseMark.FAILED
    if progress.state is NodeState.VERIFIED:
        said = f"the ledger says that it was verified, but its lease says {lease.mark or lease.phase}"
        return _leave_out(ctx, lease, mark, Code.NOT_VERIFIED, said)
    return _leave_out(ctx, lease, mark, *_find_cause(progress))


def _is_verified(progress: NodeProgress, lease: Lease) -> bool:
    """Tell whether lease and ledger agree that all was proved, be the proof still good or not."""
    agreed = progress.state is NodeState.VERIFIED and lease.phase is LeasePhase.VERIFIED
    return agreed and lease.mark is None


def _is_held_when_proved(progress: NodeProgress, lease: Lease) -> bool:
    """Tell whether an earlier release held a proved node, as a person ordered."""
    held = (lease.phase, lease.mark) == (LeasePhase.VERIFIED, LeaseMark.HELD)
    return held and (progress.state, progress.code) == (NodeState.HELD, Code.ORDER_HOLD)


def _is_untouched(ctx: StepContext, progress: NodeProgress, lease: Lease) -> bool:
    """Tell whether lease and ledger agree that nothing was changed but the lease.

    A mark in the lease says that an earlier release left the node out: only a proof changes that.
    """
    ended = progress.state.untouched or progress.state in {NodeState.HELD, NodeState.SKIPPED}
    return ended and not ctx.facts.touched and lease.phase is LeasePhase.ADMITTED and lease.mark is None


def _is_fresh(ctx: StepContext, service: ComputeService) -> bool:
    """Tell whether the proof is of a moment ago, and the service is up still."""
    proof = ctx.facts.verified
    recent = proof is not None and ctx.now() - proof.at <= PROOF_HOLDS
    return recent and service.state is ServiceState.UP and not service.forced_down


def _look_again(ctx: StepContext) -> StepResult | None:
    log.info("%s: verified too long ago, or its service is not up now: it is proved anew", ctx.host)
    ctx.remember(verified=None)
    try:
        return prove(ctx)
    except LeaseLostError:
        raise
    except NodeFaultError as exc:
        if isinstance(exc, LoginRefusedError) and bear_refusal(ctx, exc):
            raise
        return StepResult(outcome=Outcome.FAILED, code=exc.code or Code.NOT_VERIFIED, message=str(exc))


def _was_given_back(ctx: StepContext, progress: NodeProgress) -> bool:
    """Tell whether an earlier release gave back a node that nothing was done to, be it said or not."""
    facts = ctx.facts
    ended = progress.state.untouched or progress.state in {NodeState.HELD, NodeState.SKIPPED}
    if facts.released_at is None or facts.touched or not ended or progress.stopped:
        return False
    return facts.leased_at is None or facts.released_at >= facts.leased_at


def _find_cause(progress: NodeProgress) -> tuple[Code, str]:
    """Say why the node did not get to its end."""
    return progress.code or Code.NOT_VERIFIED, progress.message or f"ended in state {progress.state}"


def _give_back(ctx: StepContext, state: NodeState, code: Code | None = None, message: str = "") -> StepResult:
    """Enable the node."""
    released_at = ctx.now()
    ctx.remember(released_at=released_at)  # first: whoever sees it enabled knows since when
    ctx.cloud.ensure_enabled(ctx.host, over=ctx.facts.leases)
    ctx.progress(state, code, message)  # at once: the other nodes go by what is recorded
    left = _return_services(ctx)
    said = f"; not restored: {left}" if left else ", as it was found"
    return StepResult(message=f"{ctx.host} is enabled{said}", details={"released_at": released_at})


def _return_services(ctx: StepContext) -> str:
    """Restore what switchovers changed for the time that the node was out, and say that it is back.

    :return: what is not as it was, in words: only a person can mend it.
    :raises TransientError: another attempt may mend it; the node is given back all the same.
    """
    left: list[str] = []
    untold: TransientError | None = None
    acts: tuple[Callable[[StepContext], tuple[str, ...] | None], ...] = (
        end_watching,
        restore_services,
        tell_of_return,
    )
    for act in acts:
        try:
            left += act(ctx) or ()
        except TransientError as exc:
            if act is not end_watching:
                raise
            untold = exc  # first the services of VNFs
        except EscalatorError as exc:
            log.error("%s: not all is restored: %s", ctx.host, exc)  # noqa: TRY400
            left.append(str(exc))
    if untold is not None:
        raise untold
    return "; ".join(left)


def _leave_out(ctx: StepContext, lease: Lease, mark: LeaseMark, code: Code, message: str) -> StepResult:
    """Keep the node disabled, marked FAILED or HELD with the reason."""
    state = NodeState.HELD if mark is LeaseMark.HELD else NodeState.FAILED
    words = f"[{code}] {message}"[:WORDS_LENGTH]
    marked = lease.marked(mark, words)
    if marked.render() != lease.render():
        ctx.write_lease(marked)
    ctx.progress(state, code, message, mark=mark)
    outcome = Outcome.HELD if mark is LeaseMark.HELD else Outcome.FAILED
    log.error("%s stays disabled (%s): %s", ctx.host, mark, message)
    return StepResult(outcome=outcome, code=code, message=f"{ctx.host} stays out of service: {message}")


def _not_ours(ctx: StepContext, service: ComputeService) -> StepResult:
    """Write nothing to a node that is not ours: released before, or taken over by somebody.

    Whoever enabled it, its services come back to it: what switchovers changed is restored.
    """
    result = _record_loss(ctx, service)
    left = _return_services(ctx) if service.status is ServiceStatus.ENABLED else _take_back(ctx)
    return replace(result, message=f"{result.message}; not restored: {left}") if left else result


def _take_back(ctx: StepContext) -> str:
    """Take back what was told of a node that somebody took before anything was done to it."""
    if ctx.facts.touched:
        return ""
    try:
        return "; ".join(end_watching(ctx))
    except TransientError:
        raise
    except EscalatorError as exc:
        return str(exc)


def _record_loss(ctx: StepContext, service: ComputeService) -> StepResult:
    """Say what became of a node that is not ours."""
    progress = ctx.run.progress(ctx.host)
    if service.status is ServiceStatus.ENABLED and progress.state in {NodeState.VERIFIED, NodeState.RELEASED}:
        ctx.progress(NodeState.RELEASED, message=progress.message)
        return _given_back_before(ctx, f"{ctx.host} was released before")
    if service.status is ServiceStatus.ENABLED and _was_given_back(ctx, progress):
        if progress.state.untouched:
            ctx.progress(NodeState.HELD, *_find_cause(progress))
        return _given_back_before(ctx, f"{ctx.host} was given back before")
    found = f"{ctx.host} is not this run's any more, left alone: {ctx.describe_loss(service)}"
    unproved = ctx.facts.upgrade_begun is not None and ctx.facts.verified is None
    if not unproved and not progress.state.under_way:
        return StepResult(outcome=Outcome.SKIPPED, message=found)
    if unproved:
        found += f"; it was upgraded to {ctx.plan.target_version} AND NEVER VERIFIED: look at it now"
        log.error("%s", found)
    ctx.progress(NodeState.HELD, Code.LEASE_LOST, found)
    return StepResult(outcome=Outcome.HELD, code=Code.LEASE_LOST, message=found)


def _given_back_before(ctx: StepContext, message: str) -> StepResult:
    """Say that an attempt before gave the node back, and when: it was out until then, and no longer."""
    at = ctx.facts.released_at
    details = {} if at is None else {"released_at": at}
    return StepResult(outcome=Outcome.SKIPPED, message=message, details=details)
