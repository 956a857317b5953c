"""The hooks of a bundle around one attempt at a step; what they printed goes into the report."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from escalator.model.bundle import HookTime
from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code
from escalator.steps.running.context import StepContext
from escalator.system_support.mechanisms import HookCommands, JobFailedError

log = logging.getLogger("escalator.steps.running.hooks")

_MARGIN = timedelta(minutes=2)
"""How much longer than all limits together a job of hooks may take before it counts as hung."""


class HookFailedError(NodeFaultError):
    """A hook says that the node is not as it should be, or could not say it."""


@dataclass(kw_only=True)
class Hooks:
    """The hooks of one attempt.

    :ivar reports: for each time at which some were run: when, whether they succeeded, what they printed last.
    """

    ctx: StepContext
    reports: list[dict[str, Any]] = field(default_factory=list)

    def has(self, *times: HookTime) -> bool:
        """Tell whether the bundle has hooks for one of these times."""
        return any(self.ctx.campaign.bundle.hooks.get(when) for when in times)

    @property
    def details(self) -> dict[str, Any]:
        """Return what the attempt remembers of them; nothing when none was run."""
        return {"hooks": self.reports} if self.reports else {}

    def run(self, when: HookTime) -> None:
        """Run those of one time; none: nothing is done. An attempt that is cut off runs them again.

        :raises HookFailedError: one failed; those after it were not run.
        :raises NodeFaultError: the node cannot be reached, or the job does not end.
        """
        ctx, bundle = self.ctx, self.ctx.campaign.bundle
        commands = bundle.hooks.get(when, ())
        if not commands:
            return
        ctx.ensure_current()
        within = len(commands) * timedelta(seconds=bundle.hook_seconds) + _MARGIN
        job = ctx.campaign.node_job(ctx.host, f"hooks-{when}", within=within)
        hook = HookCommands(
            host=ctx.host,
            when=when,
            commands=commands,
            limit_seconds=bundle.hook_seconds,
            artefacts=bundle.artefacts,
            fetches=ctx.plan.undoes is not None,
        )
        try:
            output = ctx.campaign.run_hook(job, hook)
        except JobFailedError as exc:
            self._note(when, exc.status.output, succeeded=False)
            raise HookFailedError(exc.message, remedy=exc.remedy, code=Code.HOOK_FAILED) from exc
        self._note(when, output, succeeded=True)

    def _note(self, when: HookTime, output: str, *, succeeded: bool) -> None:
        for line in output.splitlines():
            log.info("%s: hooks.%s: %s", self.ctx.host, when, line)
        self.reports.append({"when": str(when), "succeeded": succeeded, "output": output})
