"""Upgrade: bring the bundle to the empty node, over SSH, as a job that survives a lost connection.

Killed and run again, it joins the job that runs on the node, and does not restart what was restarted, nor
reboot what was rebooted.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from escalator.model.bundle import HookTime
from escalator.model.campaign import NodeState
from escalator.model.errors import LeaseLostError, LoginRefusedError, NodeFaultError
from escalator.model.lease import LeasePhase
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.migrate import ROUNDS, find_busy_members, find_servers_left, migrate
from escalator.steps.rebooting.last_look import find_going_on
from escalator.steps.rebooting.reboots import Rebooted, finish_reboot, reboot_node
from escalator.steps.running.context import StepContext
from escalator.steps.running.hooks import Hooks
from escalator.steps.running.node_versions import read_version
from escalator.steps.running.ordered import find_hold
from escalator.steps.running.patience import Patience
from escalator.steps.running.results import StepResult
from escalator.steps.stopping.stop_servers import find_resting, stop_servers
from escalator.system_support.mechanisms import Effect
from escalator.system_support.remote_job import JobOverdueError
from escalator.upgrade_manager.drain.prechecks import describe_remedy
from escalator.upgrade_manager.schedule.one_way import find_crossing

log = logging.getLogger("escalator.steps.upgrade")

QUIET_WITHIN = timedelta(minutes=5)
"""How long migrations into or out of the node may go on before it is held."""
POLL_SECONDS = 3.0


def upgrade(ctx: StepContext) -> StepResult:
    """Stage what is not staged, switch, restart the service; the node must be ours, empty and quiet."""
    if ctx.run.progress(ctx.host).state is NodeState.MIGRATING:  # cut off while it moved late servers
        moved = migrate(ctx)
        if moved.outcome is not Outcome.OK:
            return moved
    ctx.ensure_leased()
    hooks = Hooks(ctx=ctx)
    try:
        rebooted = finish_reboot(ctx)
        if rebooted is not None:
            return _end(ctx, hooks, rebooted, began=ctx.now())
        ctx.campaign.mechanism.stage(ctx.node_job("stage"))
        held = _prove_empty(ctx) or _find_hold(ctx) or _stop(ctx)
        if held is not None:
            return held
        ctx.ensure_phase(LeasePhase.UPGRADING)
        ctx.progress(NodeState.UPGRADING, message=f"to {ctx.plan.target_version}")
        ctx.remember(verified=None)
        return _bring(ctx, hooks)
    except NodeFaultError as exc:
        return _not_upgraded(ctx, exc, hooks)


def _find_hold(ctx: StepContext) -> StepResult | None:
    """Hold the node at the last moment before its software may be another; later it is brought to its end."""
    return find_hold(ctx) if ctx.facts.upgrade_begun is None else None


def _bring(ctx: StepContext, hooks: Hooks) -> StepResult:
    """Activate what the mechanism brings, between the bundle's hooks; these may change the node as well."""
    mechanism = ctx.campaign.mechanism
    if mechanism.brings_software or hooks.has(HookTime.PRE, HookTime.POST):
        _say_no_return(ctx)
        ctx.remember(upgrade_begun=ctx.now())
    began = ctx.now()
    hooks.run(HookTime.PRE)
    said, activated = "the bundle brings nothing to the node", False
    if mechanism.brings_software:
        _forget_reboot(ctx)
        switching = ctx.now()
        activated = mechanism.activate(ctx.node_job("activate")) is Effect.ACTIVATED
        if activated or ctx.facts.restarted_at is None:
            ctx.remember(restarted_at=ctx.now())
        said = f"activated in {(ctx.now() - switching).total_seconds():.1f} s"
    return _end(ctx, hooks, reboot_node(ctx, activated=activated), said=said, began=began)


def _say_no_return(ctx: StepContext) -> None:
    """Say, before it is crossed, that there is no return for the node: in the log and where it is shown."""
    plan = ctx.plan
    reason = find_crossing(plan, ctx.run.view(), ctx.host) if plan.no_return.is_any else ""
    if reason:
        log.info("%s: no return from now on: %s", ctx.host, reason)
        said = f"to {plan.target_version}, no return from now on: {reason}"
        ctx.progress(NodeState.UPGRADING, message=said)


def _forget_reboot(ctx: StepContext) -> None:
    """Forget a reboot that was before what is activated now: that wants one of its own, whoever is killed."""
    order = ctx.facts.reboot
    if order is None or order.back_at is None:
        return
    try:
        done = read_version(ctx.campaign, ctx.host).is_at(ctx.plan.target_version)
    except LoginRefusedError:
        raise
    except NodeFaultError:
        done = False
    if not done:
        ctx.remember(reboot=None)


def _end(
    ctx: StepContext, hooks: Hooks, rebooted: Rebooted, *, began: datetime, said: str = ""
) -> StepResult:
    """Run what follows the reboot, and say what was done.

    :param said: what was done before it; empty: an earlier attempt did that.
    """
    hooks.run(HookTime.POST)
    message = "; ".join(words for words in (said, rebooted.said) if words)
    details = {**rebooted.details, **hooks.details}
    if ctx.campaign.mechanism.brings_software:
        ctx.progress(NodeState.UPGRADED, message=f"to {ctx.plan.target_version}, not verified yet")
    elif not rebooted.details:
        return StepResult(message=message, details=details)
    else:
        ctx.progress(NodeState.UPGRADED, message=f"{rebooted.said}, not verified yet")
    details["upgrade_seconds"] = (ctx.now() - began).total_seconds()
    return StepResult(message=message, details=details)


def _not_upgraded(ctx: StepContext, fault: NodeFaultError, hooks: Hooks) -> StepResult:
    """Say whether the node still has the software it had: then it is held, not failed."""
    if isinstance(fault, LeaseLostError | LoginRefusedError):
        raise fault
    staged_only = ctx.facts.upgrade_begun is None
    code = fault.code or (Code.STAGE_FAILED if staged_only else Code.UPGRADE_FAILED)
    if isinstance(fault, JobOverdueError):
        code = Code.STEP_HUNG
    outcome = Outcome.HELD if staged_only else Outcome.FAILED
    return StepResult(outcome=outcome, code=code, message=str(fault), details=hooks.details)


def _stop(ctx: StepContext) -> StepResult | None:
    """Stop the servers that must not run meanwhile; that takes time, so the node is looked at once more.

    Who comes in that time is moved off or, where it cannot be, stopped as well.
    """
    known: frozenset[str] = frozenset()
    for _ in range(ROUNDS):
        resting = frozenset(stop.server_id for stop in find_resting(ctx))
        if resting <= known:
            return None
        held = stop_servers(ctx) or _prove_empty(ctx)
        if held is not None:
            return held
        known = resting
    message = f"servers that cannot be moved still come to {ctx.host} -> find out who puts them there"
    return StepResult(outcome=Outcome.HELD, code=Code.NODE_NOT_EMPTY, message=message)


def _prove_empty(ctx: StepContext) -> StepResult | None:
    """Prove that the node is empty and quiet; what came after it was drained is moved as the others were.

    :return: why the node is held; None when it is empty.
    """
    for _ in range(ROUNDS):
        busy = _wait_until_quiet(ctx)
        left = () if busy else Patience(ctx=ctx).ask(lambda: _left(ctx))
        if not busy and not left:
            return None
        if busy or ctx.facts.upgrade_begun is not None:
            break
        log.info("%s: %s", ctx.host, "; ".join(left))
        moved = migrate(ctx)
        if moved.outcome is not Outcome.OK:
            return moved
    message = busy or f"{ctx.host} is not empty: {'; '.join(left)}"
    return StepResult(outcome=Outcome.HELD, code=Code.NODE_NOT_EMPTY, message=message)


def _wait_until_quiet(ctx: StepContext) -> str:
    """Wait until no migration touches the node and no server that stays is busy; say what does not end."""
    patience = Patience(ctx=ctx)
    deadline = ctx.now() + QUIET_WITHIN
    while True:
        moving = patience.ask(lambda: find_going_on(ctx))
        named = [f"{m.type} {m.uuid} of {m.server_id} ({m.status})" for m in moving]
        work = named or patience.ask(lambda: find_busy_members(ctx))
        if not work:
            return ""
        if ctx.now() > deadline + patience.away:
            remedy = describe_remedy(moving) if moving else "wait for their owners"
            return f"on {ctx.host} these do not end: {', '.join(work)} -> {remedy}"
        log.info("%s: waiting for %s", ctx.host, ", ".join(work))
        ctx.campaign.sleep(POLL_SECONDS)
        patience.ask(ctx.ensure_leased)


def _left(ctx: StepContext) -> tuple[str, ...]:
    """Say which servers are on the node and should not be; canaries of earlier attempts go away."""
    left = find_servers_left(ctx)
    return find_servers_left(ctx) if left and ctx.cloud.delete_canaries(ctx.host) else left
