"""Stops the servers that stay on a node and must not run while it is upgraded, each seen shut off.

A second run finds who is down already, and stops only who runs.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from escalator.model.cloud import Server
from escalator.model.errors import ConflictError, NotFoundError
from escalator.model.step import Outcome
from escalator.model.stops import PlannedStop
from escalator.model.verdict import Code, Subject, Verdict
from escalator.steps.running.context import StepContext
from escalator.steps.running.patience import Patience
from escalator.steps.running.results import StepResult
from escalator.steps.stopping.stop_book import StopBook
from escalator.upgrade_manager.drain.stops import StopStep, decide_stop, list_ranks

log = logging.getLogger("escalator.steps.stopping")

STOP_WITHIN = timedelta(minutes=15)
"""How long the servers of one rank may take: a guest has as long to shut down as Nova and its image say."""
POLL_SECONDS, LONGEST_POLL_SECONDS = 1.0, 10.0
"""The pause between two looks, which grows."""
ASKED_AT_MOST = 2
"""How often Nova is asked to stop a server that comes back from it running."""


def find_resting(ctx: StepContext) -> tuple[PlannedStop, ...]:
    """Return the servers that must not run while the node is upgraded, as its drain was planned last."""
    plan = ctx.recorded_plan()
    return () if plan is None else plan.stopping


def stop_servers(ctx: StepContext) -> StepResult | None:
    """Stop what the drain plan names: of each group the active member last.

    :return: why the node is held; None when none of them runs.
    :raises LeaseLostError: the node is not ours any more.
    """
    stopping = find_resting(ctx)
    patience, book = Patience(ctx=ctx), StopBook(ctx=ctx)
    here = patience.ask(lambda: ctx.cloud.fetch_servers(ctx.host))
    book.note_running(stopping, here)
    for rank in reversed(list_ranks(stopping)):
        together = [stop for stop in stopping if stop.rank == rank]
        stuck = _Round(ctx=ctx, patience=patience, book=book, planned=together).run()
        if stuck:
            message = "; ".join(map(str, stuck))
            return StepResult(outcome=Outcome.HELD, code=Code.SERVER_NOT_STOPPED, message=message)
    return None


@dataclass(slots=True, kw_only=True)
class _Round:
    """Servers that are stopped beside one another."""

    ctx: StepContext
    patience: Patience
    book: StopBook
    planned: Sequence[PlannedStop]
    asked: dict[str, int] = field(default_factory=dict)

    def run(self) -> tuple[Verdict, ...]:
        """Stop them and watch; return those that do not stop."""
        ctx, deadline, pause = self.ctx, self.ctx.now() + STOP_WITHIN, POLL_SECONDS
        while True:
            self.patience.ask(ctx.ensure_leased)
            servers = {s.id: s for s in self.patience.ask(lambda: ctx.cloud.fetch_servers(ctx.host))}
            self.book.note_running(self.planned, servers.values())
            steps = {s.server_id: decide_stop(servers.get(s.server_id), ctx.host) for s in self.planned}
            done = {server_id for server_id, step in steps.items() if step is StopStep.DONE}
            self.book.see_stopped([i for i in done & servers.keys() if servers[i].vm_state == "stopped"])
            left = [stop for stop in self.planned if stop.server_id not in done]
            late = ctx.now() > deadline + self.patience.away
            stuck = [stop for stop in left if late or self._is_stuck(stop, steps[stop.server_id])]
            if stuck or not left:
                return tuple(_name_stuck(stop, servers[stop.server_id], ctx.host) for stop in stuck)
            for stop in left:
                if steps[stop.server_id] is StopStep.ASK:
                    self._ask(stop)
            ctx.campaign.sleep(pause)
            pause = min(1.5 * pause, LONGEST_POLL_SECONDS)

    def _is_stuck(self, stop: PlannedStop, step: StopStep) -> bool:
        often = self.asked.get(stop.server_id, 0) >= ASKED_AT_MOST
        return step is StopStep.STUCK or (step is StopStep.ASK and often)

    def _ask(self, stop: PlannedStop) -> None:
        """Ask Nova; what somebody else does with the server at the same moment the next look shows."""
        self.asked[stop.server_id] = self.asked.get(stop.server_id, 0) + 1
        first = self.book.ask(stop.server_id)
        log.info("%s: server %s is stopped: %s", self.ctx.host, stop.server_name, stop.why)
        try:
            self.ctx.ensure_current()
            with suppress(NotFoundError):
                self.ctx.cloud.stop_server(stop.server_id)
        except ConflictError as exc:
            log.info("%s: server %s is not stopped now: %s", self.ctx.host, stop.server_name, exc)
            if first:
                self.book.take_back(stop.server_id)


def _name_stuck(stop: PlannedStop, server: Server, host: str) -> Verdict:
    busy = f", {server.task_state}" if server.task_state is not None else ""
    return Verdict(
        code=Code.SERVER_NOT_STOPPED,
        message=f"it cannot be moved off {host}, and Nova does not stop it: it is {server.vm_state}{busy}",
        subject=Subject.of_server(stop.server_id, stop.server_name),
        remedy="stop it (openstack server stop) with its owner's consent, or let its task end; then clear "
        f"{host}.admit with downstream",
    )
