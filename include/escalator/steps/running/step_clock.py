"""How long a step may wait: what is longer than usual is told, and past its hard limit it ends by itself."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace

from escalator.events.event import Action
from escalator.model.errors import EscalatorError, StepHungError
from escalator.model.moves import DrainPlan
from escalator.model.procedure import Stage
from escalator.model.step import Step
from escalator.reports.formatting import format_duration
from escalator.steps.running.context import CampaignContext
from escalator.upgrade_manager.drain.durations import compute_step_limit_seconds, estimate_drain_seconds

log = logging.getLogger("escalator.steps.running.step_clock")

LEAST_OVERDUE_SECONDS = 60.0
"""Before that no step counts as overdue, however quick its like are."""


def follow_time(campaign: CampaignContext, host: str, stage: Stage, *, try_number: int) -> CampaignContext:
    """Return a campaign whose sleep knows how long the step has waited.

    It tells once when that is longer than nine in ten take, and raises StepHungError past the hard limit.
    """
    step, begun = stage.step, campaign.clock()
    limit = compute_step_limit_seconds(stage, campaign.plan.expected)
    is_told = False

    def sleep(seconds: float) -> None:
        nonlocal is_told
        taken = (campaign.clock() - begun).total_seconds()
        if taken > limit:
            p90 = campaign.plan.expected.of(step).p90
            often = f", nine in ten take up to {format_duration(p90)}" if p90 else ""
            raise StepHungError(
                f"{step} hangs: it has taken {format_duration(taken)}, its hard limit is "
                f"{format_duration(limit)}{often}",
                remedy="find in its log what it waits for, mend it, clear the node's admit with downstream",
            )
        if taken > LEAST_OVERDUE_SECONDS and not is_told:
            usual = find_usual_seconds(campaign, host, step)
            is_told = usual is None or taken > usual
            if usual is not None and is_told:
                _tell(campaign, host, step, try_number, taken, usual)
        campaign.sleep(seconds)

    return replace(campaign, sleep=sleep)


def find_usual_seconds(campaign: CampaignContext, host: str, step: Step) -> float | None:
    """Return what nine in ten of a step's like take; of migrate what its moves should; None: nobody knows."""
    expected = campaign.plan.expected
    if step is not Step.MIGRATE:
        return expected.of(step).p90 or None
    with suppress(EscalatorError):
        plan = campaign.run.facts(host).drain_plan
        if isinstance(plan, DrainPlan):
            return estimate_drain_seconds([move.memory_mib for move in plan.moves], expected).p90
    return None


def _tell(campaign: CampaignContext, host: str, step: Step, attempt: int, taken: float, usual: float) -> None:
    message = f"{step} has taken {format_duration(taken)}, nine in ten take up to {format_duration(usual)}"
    log.warning("%s: %s", host, message)
    campaign.teller.tell(
        Action.STEP_OVERDUE,
        at=campaign.clock(),
        node=host,
        step=step,
        attempt=attempt,
        message=message,
        seconds=taken,
    )
