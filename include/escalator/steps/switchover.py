"""Switchover: let VNFs move their own service first. Servers without a registered VNF go on to migrate.

Reads only for now: no VNF can be registered yet, and the step says so for every server.
"""

from __future__ import annotations

import logging

from escalator.model.step import Outcome
from escalator.steps.running.context import StepContext
from escalator.steps.running.results import StepResult

log = logging.getLogger("escalator.steps.switchover")


def switchover(ctx: StepContext) -> StepResult:
    """Say for every server which VNF it belongs to; without one, migrate moves it."""
    ctx.ensure_leased()
    plan = ctx.planned_drain()
    names = [move.server_name for move in plan.moves]
    for name in names:
        log.info("%s: no VNF registered for server %s: migrate moves it", ctx.host, name)
    for server_id in plan.staying:
        log.info("%s: server %s stays: the upgrade does not touch guests", ctx.host, server_id)
    message = f"no VNF registered for {len(names)} server(s)"
    return StepResult(outcome=Outcome.OK, message=message, details={"servers": names})
