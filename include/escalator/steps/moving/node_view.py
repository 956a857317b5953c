"""What is on a node as it was seen last, and how long its busy servers have been busy."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from escalator.model.cloud import Server
from escalator.steps.running.context import StepContext
from escalator.steps.running.patience import Patience

SEEN_WITHIN = timedelta(seconds=1)
"""How old a look may be when a server is asked to move: one look serves all requests of a moment."""


@dataclass(slots=True, kw_only=True)
class NodeView:
    """The servers of a node.

    :ivar host: the node: that of the step, or the one that a standby leaves.
    :ivar here: server id -> server, at the last look.
    :ivar seen_at: when that was; None: there was none, or what it saw is known to be old.
    """

    ctx: StepContext
    patience: Patience
    host: str
    here: dict[str, Server] = field(default_factory=dict)
    seen_at: datetime | None = None
    _busy_since: dict[str, datetime] = field(default_factory=dict)

    def is_old(self) -> bool:
        """Tell whether the last look is too old for a request."""
        return self.seen_at is None or self.ctx.now() - self.seen_at > SEEN_WITHIN

    def refresh(self) -> None:
        """Look at the node."""
        servers = self.patience.ask(lambda: self.ctx.cloud.fetch_servers(self.host))
        self.here = {server.id: server for server in servers}
        self.seen_at = self.ctx.now()
        busy = {server.id for server in servers if server.task_state is not None}
        self._busy_since = {server_id: self._busy_since.get(server_id, self.seen_at) for server_id in busy}

    def forget(self) -> None:
        """Look anew before the next request: something is known to have changed."""
        self.seen_at = None

    def count_busy_seconds(self, server_id: str) -> float:
        """Return for how long a server has been seen busy at every look (s)."""
        since = self._busy_since.get(server_id)
        return 0.0 if since is None else (self.ctx.now() - since).total_seconds()

    def find_left(self, staying: Collection[str]) -> tuple[Server, ...]:
        """Return the servers that keep the node from being empty, as seen last."""
        return tuple(s for s in self.here.values() if not s.on_no_node and s.id not in staying)

    def fetch_one(self, server_id: str) -> Server | None:
        """Look at one server, wherever it is; None when it was deleted."""
        server = self.patience.ask(lambda: self.ctx.find_server(server_id))
        return None if server is None or server.vm_state == "deleted" else server
