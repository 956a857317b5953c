"""What came of a drain so far: the moves that ended, what holds the node, whether it is still ours."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from escalator.model.cloud import ServiceState
from escalator.model.errors import LeaseLostError
from escalator.model.moves import MoveRecord, PlannedMove
from escalator.model.order import Order, Verb
from escalator.model.verdict import Subject, Verdict
from escalator.orders.rules import find_code
from escalator.steps.moving.copying import CopyWatch
from escalator.steps.running.context import StepContext
from escalator.steps.running.ordered import find_order
from escalator.steps.running.patience import Patience

log = logging.getLogger("escalator.steps.moving.drain_record")

SILENT_WITHIN = timedelta(minutes=2)
"""For how long nova-compute on a node may be seen down while servers leave it: it may be started again."""
LISTEN_SECONDS = 5.0
"""How long a person who orders something waits at most until a drain heeds it."""


@dataclass(slots=True, kw_only=True)
class DrainRecord:
    """How a drain stands. When it is stopped, what flies lands, and nothing more starts.

    :ivar held: why the node is held, or what else follows from a server that did not move.
    :ivar follows: what that is, in words.
    :ivar lost: the node is not ours any more.
    :ivar silent_since: since when its nova-compute has been seen down at every look; None: it is up.
    :ivar ordered: what a person ordered, and holds the node.
    :ivar copies: keeps for the board what flies.
    """

    ctx: StepContext
    patience: Patience
    ended: list[MoveRecord] = field(default_factory=list)
    held: list[Verdict] = field(default_factory=list)
    lost: LeaseLostError | None = None
    follows: str = "the node is held"
    silent_since: datetime | None = None
    ordered: Order | None = None
    copies: CopyWatch = field(init=False)

    def __post_init__(self) -> None:
        """Watch how much is copied."""
        self.copies = CopyWatch(ctx=self.ctx)

    @property
    def stopped(self) -> bool:
        """Tell whether nothing more is to start."""
        return bool(self.held) or self.lost is not None

    @property
    def limit(self) -> timedelta:
        """Return how long one move may take."""
        return timedelta(seconds=self.ctx.plan.request.migration_timeout_seconds)

    def limit_of(self, move: PlannedMove) -> timedelta:
        """Return how long a move of that server may take: the more memory, the longer, where it was asked."""
        return timedelta(seconds=self.ctx.plan.request.move_limit_seconds(move.memory_mib))

    def watch_lease(self) -> None:
        """See whether the node is still ours; once it is not, it never is again."""
        if self.lost is not None:
            return
        try:
            service = self.patience.ask(self.ctx.ensure_leased)
            down = service.state is ServiceState.DOWN or service.forced_down
            self.silent_since = (self.silent_since or self.ctx.now()) if down else None
        except LeaseLostError as exc:
            self.lost = exc
        if self.lost is not None:
            log.error("%s: no further server is moved, what flies lands: %s", self.ctx.host, self.lost)

    def is_gone(self) -> bool:
        """Tell whether nova-compute on the node has been down for so long that no move from it will end."""
        return self.silent_since is not None and self.ctx.now() - self.silent_since > SILENT_WITHIN

    def heed_orders(self) -> bool:
        """See whether a person ordered that nothing more starts, or that what flies is aborted.

        :return: something was ordered that was not known before.
        """
        order = self.patience.ask(lambda: find_order(self.ctx))
        if order is None or order == self.ordered:
            return False
        self.ordered = order
        subject = Subject.of_node(self.ctx.host)
        remedy = f"clear {self.ctx.host}.admit with downstream when it may go on"
        code = find_code(order.verb)
        self.hold(Verdict(code=code, message=str(order), subject=subject, remedy=remedy))
        return True

    def rest(self, seconds: float) -> None:
        """Sleep for so long; a person who orders something meanwhile is heeded at once."""
        while seconds > LISTEN_SECONDS:
            self.ctx.campaign.sleep(LISTEN_SECONDS)
            seconds -= LISTEN_SECONDS
            if self.heed_orders():
                return
        self.ctx.campaign.sleep(seconds)

    @property
    def aborts(self) -> bool:
        """Tell whether a person ordered that what flies is aborted."""
        return self.ordered is not None and self.ordered.verb is Verb.ABORT_MOVES

    def hold(self, verdict: Verdict, *, first: bool = False) -> None:
        """Note why the node is held; ``first``: before all other reasons."""
        log.error("%s: %s; %s", self.ctx.host, verdict, self.follows)
        self.held.insert(0 if first else len(self.held), verdict)

    def keep(self, record: MoveRecord) -> None:
        """Note how a move ended, here and in the ledger."""
        self.ended.append(record)
        self.ctx.run.record_move(self.ctx.host, record)

    def leave_alone(self, record: MoveRecord) -> None:
        """Note that a server is not on the node any more, by no doing of ours."""
        log.info("%s: %s is left alone: %s", self.ctx.host, record.server_name, record.message)
        self.keep(record)
