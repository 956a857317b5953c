"""Running a step: fence, record, and the policy for what goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType

from escalator.ledger.records import StepAttempt
from escalator.model.campaign import NodeState, Step
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.errors import (
    EscalatorError,
    LeaseLostError,
    LoginRefusedError,
    NodeFaultError,
    StepHungError,
    SupersededError,
    TransientError,
)
from escalator.model.procedure import Stage, find_procedure
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.reports.formatting import format_duration
from escalator.steps.admit import admit
from escalator.steps.migrate import migrate
from escalator.steps.precheck import precheck
from escalator.steps.release import release
from escalator.steps.running.context import CampaignContext, StepContext
from escalator.steps.running.cut_off import record_cut_off
from escalator.steps.running.login_patience import bear_refusal, forget_refusal
from escalator.steps.running.ordered import find_hold_before, note_effect
from escalator.steps.running.results import StepResult
from escalator.steps.running.step_clock import follow_time
from escalator.steps.switchover import switchover
from escalator.steps.upgrade import upgrade
from escalator.steps.verify import verify
from escalator.steps.watching.silences import extend_silence
from escalator.upgrade_manager.drain.durations import compute_step_limit_seconds

log = logging.getLogger("escalator.steps")

STEPS: Mapping[Step, Callable[[StepContext], StepResult]] = MappingProxyType(
    {
        Step.PRECHECK: precheck,
        Step.SWITCHOVER: switchover,
        Step.MIGRATE: migrate,
        Step.UPGRADE: upgrade,
        Step.VERIFY: verify,
        Step.RELEASE: release,
    }
)
_STATES = {
    Outcome.HELD: NodeState.HELD,
    Outcome.FAILED: NodeState.FAILED,
    Outcome.SKIPPED: NodeState.SKIPPED,
}
NOT_ASKED: Mapping[Step, str] = MappingProxyType({})
_ADMISSIONS = {Admission.ADMIT: Outcome.OK, Admission.HOLD: Outcome.HELD}


def begin(campaign: CampaignContext, host: str, step: Step, *, try_number: int) -> StepContext:
    """Open an attempt: from now on, older attempts at this node are refused their writes."""
    attempt = campaign.run.begin_step(host, step, try_number=try_number, now=campaign.clock())
    return StepContext(campaign=campaign, host=host, step=step, attempt=attempt)


def run_admit(
    campaign: CampaignContext, host: str, *, try_number: int, anew: bool = True
) -> AdmissionDecision:
    """Ask for a node's admission, and take its lease when it may go.

    :param anew: the node begins its way; else it comes again after it gave way, and what led to that counts.
    :raises TransientError: something that another attempt may mend.
    :raises InvalidRequestError: the plan's procedure is not known; no lease was taken.
    """
    find_procedure(campaign.plan.procedure)
    ctx = begin(campaign, host, Step.ADMIT, try_number=try_number)
    if anew and (ctx.facts.refused_at, ctx.facts.person_word) != (None, None):
        ctx.remember(refused_at=None, person_word=None)
    decision = admit(ctx)
    outcome = _ADMISSIONS.get(decision.admission, Outcome.SKIPPED)
    details = {"leased_at": ctx.facts.leased_at} if outcome is Outcome.OK else {}
    end_attempt(
        ctx, StepResult(outcome=outcome, code=decision.code, message=decision.message, details=details)
    )
    return decision


def run_step(
    campaign: CampaignContext,
    host: str,
    step: Step,
    *,
    try_number: int,
    last_try: bool,
    states: Mapping[Step, str] = NOT_ASKED,
) -> StepResult:
    """Run one step of one node and record how it ended.

    :param last_try: no other attempt will follow by itself: an error is final.
    :param states: for release: how the scheduler shows the tasks of the node's steps.
    :raises TransientError: something that another attempt may mend.
    :raises LoginRefusedError: the node refuses the log-in, not for long yet: another attempt may mend it.
    :raises SupersededError: a newer attempt has begun; nothing was recorded.
    :raises InvalidRequestError: the plan's procedure is not known, or has no such step; nothing was recorded.
    """
    stage = _stage(campaign, step)
    timed = follow_time(campaign, host, stage, try_number=try_number)
    ctx = begin(timed, host, step, try_number=try_number)
    try:
        if step is Step.RELEASE:
            record_cut_off(ctx, states)
        extend_silence(ctx, compute_step_limit_seconds(stage, campaign.plan.expected))
        result = find_hold_before(ctx) or STEPS[step](ctx)
    except SupersededError:
        raise
    except LeaseLostError as exc:
        result = StepResult(outcome=Outcome.HELD, code=Code.LEASE_LOST, message=str(exc))
    except (StepHungError, NodeFaultError) as exc:
        result = StepResult(
            outcome=_find_trouble(ctx), code=_code(exc), message=str(exc), details=_name_call(exc)
        )
        if isinstance(exc, LoginRefusedError) and not last_try and bear_refusal(ctx, exc):
            end_attempt(ctx, replace(result, outcome=Outcome.FAILED))
            raise
    except Exception as exc:
        end_attempt(
            ctx,
            StepResult(outcome=Outcome.FAILED, code=_code(exc), message=str(exc), details=_name_call(exc)),
        )
        if last_try and step is not Step.RELEASE:
            ctx.progress(_STATES[_find_trouble(ctx)], _code(exc), str(exc))
        raise
    forget_refusal(ctx)
    _record_end(ctx, result)
    return result


def _record_end(ctx: StepContext, result: StepResult) -> None:
    """Record how a step ended, what that makes of its node, and of an order that ended it."""
    end_attempt(ctx, result)
    if result.outcome in _STATES and ctx.step is not Step.RELEASE:
        ctx.progress(_STATES[result.outcome], result.code, result.message)
    note_effect(ctx, result.code)


def record_hang(campaign: CampaignContext, host: str, step: Step, *, try_number: int) -> str:
    """Record that a step was ended from outside because it hung; return it in words.

    A second run records the same. Nothing is recorded when a newer attempt at the node has begun.
    """
    stage = _stage(campaign, step)
    ended = format_duration(stage.last_resort_seconds)
    message = f"{step} hangs: it was ended after {ended}; what it began may go on"
    attempts = (run for run in campaign.run.steps() if run.host == host)
    newest = max(attempts, key=lambda run: run.fence, default=None)
    if newest is None or (newest.step, newest.try_number) != (step, try_number):
        return message
    ctx = StepContext(
        campaign=campaign,
        host=host,
        step=step,
        attempt=StepAttempt(id=newest.id, fence=newest.fence, host=host, step=step),
    )
    with suppress(SupersededError):
        trouble = _find_trouble(ctx)
        ctx.progress(_STATES[trouble], Code.STEP_HUNG, message)
        end_attempt(ctx, StepResult(outcome=trouble, code=Code.STEP_HUNG, message=message))
    return message


def _stage(campaign: CampaignContext, step: Step) -> Stage:
    return find_procedure(campaign.plan.procedure).stage(step)


def _find_trouble(ctx: StepContext) -> Outcome:
    """Say what trouble makes of the node: held while it has the software it had, failed from then on."""
    try:
        begun = ctx.facts.upgrade_begun is not None
    except EscalatorError:
        begun = True  # nobody knows
    return Outcome.FAILED if begun else Outcome.HELD


def _code(exc: Exception) -> Code:
    """Return the code of the cause, as the error itself names it."""
    if isinstance(exc, EscalatorError) and exc.code is not None:
        return exc.code
    if isinstance(exc, StepHungError):
        return Code.STEP_HUNG
    return Code.CLOUD_UNREACHABLE if isinstance(exc, TransientError) else Code.INTERNAL


def _name_call(exc: Exception) -> dict[str, object]:
    """Return the request id of the call that went wrong, for the record; nothing where there is none."""
    request_id = exc.request_id if isinstance(exc, EscalatorError) else None
    return {"request_id": request_id} if request_id else {}


def end_attempt(ctx: StepContext, result: StepResult) -> None:
    """Record how an attempt ended, with the API calls it made."""
    try:
        ctx.run.finish_step(
            ctx.attempt,
            result=str(result.outcome),
            code=result.code,
            message=result.message,
            now=ctx.now(),
            api_calls=ctx.cloud.counter.total,
            details=dict(result.details),
        )
    except EscalatorError:
        log.exception("%s.%s: its end could not be recorded", ctx.host, ctx.step)
