"""Switchover: let VNFs move their own service first. What nobody switches away goes on to migrate.

Managers of VNFs are not asked yet, and the step says so for every server.
"""

from __future__ import annotations

import logging

from escalator.model.lease import LeasePhase
from escalator.model.step import Outcome
from escalator.steps.running.context import StepContext
from escalator.steps.running.results import StepResult

log = logging.getLogger("escalator.steps.switchover")


def switchover(ctx: StepContext) -> StepResult:
    """Say for every server whether it stays as a member of an HA group, or is left to migrate."""
    ctx.ensure_phase(LeasePhase.DRAINING)
    plan = ctx.planned_drain()
    names = [move.server_name for move in plan.moves]
    for name in names:
        log.info("%s: server %s: no VNF manager is asked to switch it over, migrate moves it", ctx.host, name)
    for server_id in plan.staying:
        log.info(
            "%s: server %s stays: its HA group does without it, and the upgrade does not touch guests",
            ctx.host,
            server_id,
        )
    stay = f", {len(plan.staying)} stay as members of HA groups" if plan.staying else ""
    message = f"no VNF manager is asked: {len(names)} server(s) to move{stay}"
    return StepResult(outcome=Outcome.OK, message=message, details={"servers": names})
