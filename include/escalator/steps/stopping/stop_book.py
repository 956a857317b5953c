"""What the ledger remembers of the servers of a node that were stopped for its upgrade.

Who ran is written down before the first of them is stopped, and that Nova is asked before it is: only what
the campaign stopped is started again by it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from escalator.model.cloud import Server
from escalator.model.stops import RUNNING, PlannedStop, ServerStop, StopEnd
from escalator.steps.running.context import StepContext

Change = Callable[[ServerStop], ServerStop]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopBook:
    """The stops of a node in its campaign; every write is refused to an attempt that is not the newest."""

    ctx: StepContext

    def list_down(self) -> tuple[ServerStop, ...]:
        """Return the servers that are ours to start."""
        return tuple(stop for stop in self.ctx.facts.stops if stop.is_down)

    def note_running(self, planned: Iterable[PlannedStop], here: Iterable[Server]) -> None:
        """Write down which of these servers run now; those that are written down already stay as they are."""
        before, now = self.ctx.facts.stops, self.ctx.now()
        known = {stop.server_id for stop in before if stop.is_open}
        places = {stop.server_id: stop for stop in planned}
        found = tuple(
            ServerStop(
                server_id=server.id,
                server_name=server.name,
                power_state=server.power_state,
                noted_at=now,
                ha_group=places[server.id].ha_group,
                rank=places[server.id].rank,
            )
            for server in here
            if server.id in places and server.id not in known and _runs(server)
        )
        if found:
            self.ctx.remember(stops=(*before, *found))

    def ask(self, server_id: str) -> bool:
        """Write down that Nova is about to be asked to stop a server; tell whether that is new."""
        return self._change({server_id}, lambda stop: replace(stop, asked_at=stop.asked_at or self.ctx.now()))

    def take_back(self, server_id: str) -> None:
        """Write down that Nova did not take the request: the server is not ours to start."""
        self._change({server_id}, lambda stop: replace(stop, asked_at=None))

    def see_stopped(self, server_ids: Collection[str]) -> None:
        """Write down which servers are shut off: by us, or by owners, whose it is then to start them."""

        def change(stop: ServerStop) -> ServerStop:
            if stop.asked_at is None:
                return replace(stop, ended_at=self.ctx.now(), end=StopEnd.NOT_OURS)
            return stop if stop.stopped_at is not None else replace(stop, stopped_at=self.ctx.now())

        self._change(server_ids, change)

    def end(self, server_id: str, end: StopEnd) -> None:
        """Write down that nothing more is to be done about a server."""
        self._change({server_id}, lambda stop: replace(stop, ended_at=self.ctx.now(), end=end, fault=""))

    def fail(self, server_id: str, fault: str) -> None:
        """Write down why a server could not be started; it stays ours to start."""
        self._change({server_id}, lambda stop: replace(stop, fault=fault))

    def _change(self, server_ids: Collection[str], change: Change) -> bool:
        """Change the open stops of some servers; tell whether anything was to be written."""
        before = self.ctx.facts.stops
        after = tuple(change(s) if s.is_open and s.server_id in server_ids else s for s in before)
        if after != before:
            self.ctx.remember(stops=after)
        return after != before


def take_over_stops(ctx: StepContext) -> None:
    """Take over the servers of the node that the run that is taken back stopped, and that are down still.

    They ran before that run, and nobody else would start them. A second run adds none.
    """
    undone, known = ctx.plan.undoes, {stop.server_id for stop in ctx.facts.stops}
    if undone is None:
        return
    left = tuple(
        replace(found.stop, fault="")
        for found in ctx.run.gaps().stops_of_run(undone.campaign, undone.run_id)
        if found.host == ctx.host and found.stop.is_down and found.stop.server_id not in known
    )
    if left:
        ctx.remember(stops=(*ctx.facts.stops, *left))


def _runs(server: Server) -> bool:
    """Tell whether a server runs, and nobody is stopping it at this moment."""
    return (
        server.vm_state == "active" and server.power_state == RUNNING and server.task_state not in _STOPPING
    )


_STOPPING = frozenset({"powering-off", "shelving", "deleting", "soft-deleting"})
