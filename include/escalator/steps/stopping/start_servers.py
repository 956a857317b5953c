"""Starts the servers again that were stopped for the upgrade of their node, each seen running.

Active members first, as their group names them. A second run asks only for those that do not run yet; what
owners did with theirs meanwhile holds.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from escalator.model.campaign import NodeProgress, NodeState
from escalator.model.cloud import Server, ServiceState, ServiceStatus
from escalator.model.errors import ConflictError, InvalidRequestError, NotFoundError
from escalator.model.step import Outcome, Step
from escalator.model.stops import ServerStop, StopEnd
from escalator.model.verdict import Code, Subject, Verdict
from escalator.steps.running.context import StepContext
from escalator.steps.running.patience import Patience
from escalator.steps.stopping.stop_book import StopBook
from escalator.upgrade_manager.drain.stops import StartStep, decide_start, find_why_left_off, list_ranks

log = logging.getLogger("escalator.steps.stopping")

START_WITHIN = timedelta(minutes=6)
"""How long the servers of one rank may take: Nova itself waits up to 5 min for their ports."""
POLL_SECONDS, LONGEST_POLL_SECONDS = 1.0, 10.0
"""The pause between two looks, which grows."""
_JOB_ENDED = frozenset({NodeState.UPGRADED, NodeState.VERIFIED})
_ENDS = {
    StartStep.RUNS: StopEnd.RUNS,
    StartStep.BY_OWNER: StopEnd.BY_OWNER,
    StartStep.GONE: StopEnd.GONE,
}


def start_servers(ctx: StepContext) -> tuple[Verdict, ...]:
    """Start what was stopped, rank by rank; one that does not start holds up none of the others.

    :return: those that do not run, each with what a person can do.
    """
    book, patience = StopBook(ctx=ctx), Patience(ctx=ctx)
    faults: list[Verdict] = []
    for rank in list_ranks(book.list_down()):
        waiting = {stop.server_id: stop for stop in book.list_down() if stop.rank == rank}
        started = _Round(ctx=ctx, patience=patience, book=book, waiting=waiting, begun_at=ctx.now())
        faults += started.run()
    return tuple(faults)


def start_left(ctx: StepContext, before: NodeProgress) -> tuple[Verdict, ...]:
    """Start what is down still, whatever became of its node, where its node can run it; name the rest.

    :param before: how the node stood when its steps had ended.
    """
    book = StopBook(ctx=ctx)
    if not book.list_down():
        return ()
    service = ctx.cloud.fetch_service(ctx.host)
    why = find_why_left_off(
        ours=ctx.holds(service) or service.status is ServiceStatus.ENABLED,
        service_up=service.state is ServiceState.UP and not service.forced_down,
        upgrade_begun=ctx.facts.upgrade_begun is not None,
        code=None if _has_job_ended(ctx, before) else before.code,
    )
    if not why:
        return start_servers(ctx)
    for stop in book.list_down():
        book.fail(stop.server_id, why)
    remedy = (
        f"see on {ctx.host} that no job and no reboot goes on and that nova-compute is up, then clear "
        f"{ctx.host}.upgrade with downstream, or start it (openstack server start)"
    )
    return tuple(_name_fault(stop, ctx.host, why, remedy) for stop in book.list_down())


def _has_job_ended(ctx: StepContext, before: NodeProgress) -> bool:
    """Tell whether the newest attempt at the upgrade saw its job end, whatever came after it."""
    if before.state in _JOB_ENDED:
        return True
    attempts = (run for run in ctx.run.steps() if run.host == ctx.host and run.step is Step.UPGRADE)
    newest = max(attempts, key=lambda run: run.fence, default=None)
    return newest is not None and newest.result is Outcome.OK


@dataclass(slots=True, kw_only=True)
class _Round:
    """Servers that are started beside one another."""

    ctx: StepContext
    patience: Patience
    book: StopBook
    waiting: dict[str, ServerStop]
    begun_at: datetime
    asked: set[str] = field(default_factory=set)
    faults: list[Verdict] = field(default_factory=list)

    def run(self) -> list[Verdict]:
        """Start them and watch until each runs, or does not."""
        pause = POLL_SECONDS
        while self.waiting:
            late = self.ctx.now() > self.begun_at + START_WITHIN + self.patience.away
            here = {s.id: s for s in self.patience.ask(lambda: self.ctx.cloud.fetch_servers(self.ctx.host))}
            for stop in tuple(self.waiting.values()):
                server = here.get(stop.server_id) or self._find(stop.server_id)
                self._act(stop, server, late=late)
            if self.waiting:
                self.ctx.campaign.sleep(pause)
                pause = min(1.5 * pause, LONGEST_POLL_SECONDS)
        return self.faults

    def _find(self, server_id: str) -> Server | None:
        """Look at a server that is not on the node any more."""
        return self.patience.ask(lambda: self.ctx.find_server(server_id))

    def _act(self, stop: ServerStop, server: Server | None, *, late: bool) -> None:
        step = decide_start(server, asked=stop.server_id in self.asked)
        if step in _ENDS:
            self.book.end(stop.server_id, _ENDS[step])
            log.info("%s: server %s: %s", self.ctx.host, stop.server_name, _ENDS[step])
            del self.waiting[stop.server_id]
        elif step is StartStep.FAILED or late:
            self._fail(stop, server)
        elif step is StartStep.ASK:
            self._ask(stop, server)

    def _ask(self, stop: ServerStop, server: Server | None) -> None:
        log.info("%s: server %s is started again", self.ctx.host, stop.server_name)
        self.ctx.ensure_current()
        try:
            with suppress(ConflictError, NotFoundError):  # somebody acts now: the next look shows it
                self.ctx.cloud.start_server(stop.server_id)
                self.asked.add(stop.server_id)
        except InvalidRequestError as exc:  # refused for good, as a policy may: the others are started
            self._fail(stop, server, exc.message)

    def _fail(self, stop: ServerStop, server: Server | None, said: str = "") -> None:
        found = "gone" if server is None else server.vm_state
        busy = f", {server.task_state}" if server is not None and server.task_state is not None else ""
        why = f"Nova does not start it: {said or f'it is {found}{busy}'}"
        self.book.fail(stop.server_id, why)
        verdict = _name_fault(stop, self.ctx.host, why)
        log.error("%s: %s", self.ctx.host, verdict)
        self.faults.append(verdict)
        del self.waiting[stop.server_id]


def _name_fault(stop: ServerStop, host: str, why: str, remedy: str = "") -> Verdict:
    mend = (
        "read its fault (openstack server show) and nova-compute's log, mend that, then start it "
        f"(openstack server start), or clear {host}.verify with downstream, which starts it again"
    )
    return Verdict(
        code=Code.SERVER_NOT_STARTED,
        message=f"it ran before the upgrade of {host} and does not run now: {why}",
        subject=Subject.of_server(stop.server_id, stop.server_name),
        remedy=remedy or mend,
    )
