"""Release: give the node back exactly as it was found, or leave it out with the reason why.

Runs whatever happened before. It never enables a node that was not verified, nor one that a person disabled.
A second run finds the node as it should be and writes nothing.
"""

from __future__ import annotations

import logging

from escalator.model.campaign import NodeProgress, NodeState
from escalator.model.cloud import ComputeService, ServiceStatus
from escalator.model.lease import Lease, LeaseMark
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.running.context import StepContext
from escalator.steps.running.results import StepResult

log = logging.getLogger("escalator.steps.release")

WORDS_LENGTH = 120
"""Characters of the reason that are written into the lease's words."""


def release(ctx: StepContext) -> StepResult:
    """Bring the node's service to where the steps before entitle it."""
    progress = ctx.run.progress(ctx.host)
    service = ctx.cloud.fetch_service(ctx.host)
    lease = service.lease
    if lease is None or not ctx.plan.lease(ctx.host).same_holder(lease):
        return _not_ours(ctx, service, progress)
    ctx.ensure_current()
    if _entitled(ctx, progress, lease):
        released_at = ctx.now()
        ctx.remember(released_at=released_at)  # first: whoever sees it enabled knows since when
        ctx.cloud.ensure_enabled(ctx.host, lease=lease)
        if progress.state is NodeState.VERIFIED:
            ctx.progress(NodeState.RELEASED, message=progress.message)
        return StepResult(
            message=f"{ctx.host} is enabled, as it was found", details={"released_at": released_at}
        )
    return _leave_out(ctx, progress)


def _entitled(ctx: StepContext, progress: NodeProgress, lease: Lease) -> bool:
    """Tell whether the node may be enabled: verified with proof, or never touched but for the lease.

    A mark in the lease says that an earlier release left the node out: only a proof changes that.
    """
    if progress.state is NodeState.VERIFIED:
        return ctx.facts.verified is not None
    given_up = progress.state in {NodeState.HELD, NodeState.SKIPPED}
    return lease.mark is None and (progress.state.untouched or given_up) and not ctx.facts.touched


def _leave_out(ctx: StepContext, progress: NodeProgress) -> StepResult:
    """Keep the node disabled, marked FAILED or HELD with the reason."""
    untouched_software = ctx.facts.upgrade_begun is None
    mark = (
        LeaseMark.HELD if untouched_software and progress.state is not NodeState.FAILED else LeaseMark.FAILED
    )
    state = NodeState.HELD if mark is LeaseMark.HELD else NodeState.FAILED
    code = progress.code or Code.NOT_VERIFIED
    message = progress.message or f"ended in state {progress.state}"
    lease = ctx.plan.lease(ctx.host).marked(mark, f"[{code}] {message}"[:WORDS_LENGTH])
    ctx.cloud.ensure_disabled(ctx.host, lease.render())
    ctx.progress(state, code, message, mark=mark)
    outcome = Outcome.HELD if mark is LeaseMark.HELD else Outcome.FAILED
    log.error("%s stays disabled (%s): %s", ctx.host, mark, message)
    return StepResult(outcome=outcome, code=code, message=f"{ctx.host} stays out of service: {message}")


def _not_ours(ctx: StepContext, service: ComputeService, progress: NodeProgress) -> StepResult:
    """Write nothing to a node that is not ours: released before, or taken over by somebody."""
    if service.status is ServiceStatus.ENABLED and progress.state in {NodeState.VERIFIED, NodeState.RELEASED}:
        ctx.progress(NodeState.RELEASED, message=progress.message)
        return StepResult(outcome=Outcome.SKIPPED, message=f"{ctx.host} was released before")
    reason = f"reason {service.disabled_reason!r}"
    found = f"{ctx.host} is {service.status}, {reason}: not this run's lease, left alone"
    if progress.state.untouched or progress.state in {NodeState.HELD, NodeState.SKIPPED}:
        return StepResult(outcome=Outcome.SKIPPED, message=found)
    ctx.progress(NodeState.HELD, Code.LEASE_LOST, found)
    return StepResult(outcome=Outcome.HELD, code=Code.LEASE_LOST, message=found)
