"""How a node came to its end when no step of its said so: its run or its task was ended from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from escalator.ledger.records import StepAttempt, StepRecord
from escalator.model.campaign import NodeProgress, NodeState, Step
from escalator.model.procedure import Procedure, find_procedure
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.running.context import StepContext

_FAILED, _SUCCESS, _SKIPPED = "failed", "success", "skipped"
"""How a scheduler shows a task that was ended, by itself or by a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOff:
    """Why a node's way ended before its steps were done.

    :ivar attempt: the attempt that was cut off; None: the way ended between two attempts.
    """

    code: Code
    message: str
    attempt: StepRecord | None = None


def record_cut_off(ctx: StepContext, states: Mapping[Step, str]) -> None:
    """Record why the node's way ended, when it was cut off: in place of the last word of its progress.

    The state of the node stays as it is: what was done to it decides what becomes of it. A second run finds
    the reason recorded.

    :param states: how the scheduler shows the tasks of the node's steps; empty: it was not asked.
    """
    attempts = (record for record in ctx.run.steps() if record.host == ctx.host)
    before = (record for record in attempts if record.step is not Step.RELEASE)
    newest = max(before, key=lambda record: record.fence, default=None)
    progress = ctx.run.progress(ctx.host)
    found = explain_cut_off(newest, progress, find_procedure(ctx.plan.procedure), states)
    if found is None:
        return
    ctx.progress(progress.state, found.code, found.message, mark=progress.mark)
    if found.attempt is not None:
        record = found.attempt
        ctx.run.finish_step(
            StepAttempt(id=record.id, fence=record.fence, host=record.host, step=record.step),
            result=Outcome.FAILED,
            code=found.code,
            message=found.message,
            now=ctx.now(),
        )


def explain_cut_off(
    newest: StepRecord | None, progress: NodeProgress, procedure: Procedure, states: Mapping[Step, str]
) -> CutOff | None:
    """Say why a node's way ended before its steps were done; None: they are done, or a step said why.

    :param newest: the newest attempt at a step of the node, its release apart.
    :param states: how the scheduler shows the tasks of the node's steps.
    """
    told = progress.state.ended or progress.state is NodeState.VERIFIED
    if newest is None or told:
        return None
    going_on = newest.known_end is None
    if going_on or newest.result is Outcome.WAITING:
        who = _say_who(newest.step, procedure, states)
        doing = "was going on" if going_on else f"waited: {newest.message}"
        message = f"{who} while {newest.step} {doing}"
        return CutOff(code=Code.CUT_OFF, message=message, attempt=newest if going_on else None)
    if newest.result is Outcome.OK:
        following = _after(newest.step, procedure)
        if not following:
            return None
        who = _say_who(following[0], procedure, states)
        return CutOff(code=Code.CUT_OFF, message=f"{who} before {following[0]} began")
    to_be_tried = newest.result is Outcome.FAILED and newest.code is not Code.CUT_OFF
    if to_be_tried and states.get(newest.step) == _SKIPPED:
        who = _say_who(newest.step, procedure, states)
        message = f"{who} while {newest.step} was to be tried again: {newest.message}"
        return CutOff(code=Code.CUT_OFF, message=message)
    return CutOff(code=newest.code or Code.CUT_OFF, message=newest.message)


def _after(step: Step, procedure: Procedure) -> tuple[Step, ...]:
    """Return the steps that come after one, but for the last, which runs in any case."""
    return procedure.steps[procedure.steps.index(step) + 1 : -1]


def _say_who(step: Step, procedure: Procedure, states: Mapping[Step, str]) -> str:
    """Say who ended a step, by what became of it and of the steps after it.

    A run that is marked takes what waits with it, as skipped; what waits for a failed task fails with it.
    """
    state, later = states.get(step), {states.get(other) for other in _after(step, procedure)}
    if state == _FAILED and _SKIPPED in later:
        return "the run was marked failed"
    if state == _FAILED:
        return "its task was marked failed, or killed at every try,"
    if state == _SUCCESS:
        return "the run or its task was marked success"
    if state == _SKIPPED:
        return "the run was ended by hand"
    return "it was ended from outside"
