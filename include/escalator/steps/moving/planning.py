"""How a node of a campaign is to be emptied: by its plan, by what was agreed, and by what must not run."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.cloud import CloudSnapshot
from escalator.model.moves import NO_AGREEMENT, Agreement, DrainPlan
from escalator.model.verdict import Verdict
from escalator.steps.running.context import StepContext
from escalator.steps.stopping.rule import find_stop_rule
from escalator.upgrade_manager.drain.drains import plan_drain


def plan_node_drain(
    ctx: StepContext,
    snapshot: CloudSnapshot,
    verdicts: Sequence[Verdict],
    *,
    agreement: Agreement = NO_AGREEMENT,
    anew: bool = False,
) -> DrainPlan:
    """Plan the drain of the node.

    :param verdicts: findings about its servers.
    :param agreement: what was agreed with their managers.
    :param anew: this look sees everything: what was found before does not count.
    """
    return plan_drain(
        snapshot,
        ctx.host,
        verdicts,
        members_stay=ctx.plan.members_stay,
        order=ctx.plan.hosts,
        agreement=agreement,
        stops=find_stop_rule(ctx, anew=anew),
    )
