"""Which servers of a node are stopped: by the request, the bundle, and what is remembered of the node."""

from __future__ import annotations

from escalator.model.moves import DrainPlan
from escalator.steps.running.context import StepContext
from escalator.upgrade_manager.drain.stops import StopRule


def find_stop_rule(ctx: StepContext, *, anew: bool = False) -> StopRule:
    """Return the rule by which the drain of a node is planned.

    :param anew: the precheck looks at everything; later looks see less, and go by what it found.
    """
    facts = ctx.facts
    return StopRule(
        mode=ctx.plan.request.mode,
        restarts=ctx.campaign.bundle.restarts_machine,
        kept=frozenset() if anew else facts.unmovable,
        down=frozenset(stop.server_id for stop in facts.stops if stop.is_down),
    )


def describe_staying(plan: DrainPlan) -> str:
    """Say how many servers stay on a node, and how many of them are stopped; nothing when none stays."""
    stay, stop = len(plan.undisturbed), len(plan.stopping)
    parts = [f"{stay} stay as members of HA groups"] if stay else []
    parts += [f"{stop} stay and must not run meanwhile"] if stop else []
    return "".join(f", {part}" for part in parts)
