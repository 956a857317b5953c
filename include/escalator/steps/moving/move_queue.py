"""The servers that wait to leave: each is looked at before it is asked to move.

Others act meanwhile: what is not on the node any more is left alone, what is busy goes to the end.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from escalator.model.cloud import Server
from escalator.model.errors import (
    ConflictError,
    EscalatorError,
    NotFoundError,
    RateLimitedError,
    TransientError,
)
from escalator.model.moves import PlannedMove
from escalator.steps.moving.drain_record import DrainRecord
from escalator.steps.moving.endings import describe_busy, describe_refusal
from escalator.steps.moving.flights import Flight
from escalator.steps.moving.node_view import NodeView
from escalator.steps.moving.pace import DrainPace
from escalator.steps.running.context import StepContext
from escalator.steps.running.patience import TOLERATED

log = logging.getLogger("escalator.steps.moving.move_queue")

REFUSALS = 3
"""How often Nova may refuse a server that looks as if it could move."""
_LIVE = frozenset({"active", "paused"})
_COLD = frozenset({"active", "stopped"})


@dataclass(slots=True, kw_only=True)
class MoveQueue:
    """What waits, in order.

    :ivar refused: moves that Nova refused for good, with what it said: the policy decides what comes next.
    """

    ctx: StepContext
    record: DrainRecord
    view: NodeView
    pace: DrainPace
    waiting: list[PlannedMove] = field(default_factory=list)
    refused: list[tuple[Flight, str]] = field(default_factory=list)
    _conflicts: Counter[str] = field(default_factory=Counter)
    _trouble_since: datetime | None = None
    _not_before: datetime | None = None

    def start(self, room: int, *, after_id: int) -> list[Flight]:
        """Ask for moves while there is room; busy servers go to the end of those that wait.

        :param room: how many may start; all that may move at once: nothing is under way.
        :param after_id: the newest migration that is known.
        """
        if self.record.stopped:
            self.waiting.clear()
        fresh: list[Flight] = []
        if not self.waiting or room <= 0 or self._is_put_off():
            return fresh
        if self.view.is_old():
            self.view.refresh()
        coming, self.waiting = self.waiting, []
        later: list[PlannedMove] = []
        while coming and len(fresh) < room and not self._is_put_off() and self._may_go_on():
            move = coming.pop(0)
            server = self.view.here.get(move.server_id)
            if server is None:
                log.info("%s: %s is not here any more: left alone", self.ctx.host, move.server_name)
            elif server.task_state is not None:
                later.append(move)
            elif _has_changed(server, move):
                log.info("%s: %s is %s now: planned anew", self.ctx.host, server.name, server.vm_state)
            elif (flight := self._request(move, after_id)) is not None:
                fresh.append(flight)
        self.waiting = [*coming, *self.waiting, *later]
        if room == self.pace.at_once and not fresh and len(later) == len(self.waiting):
            self.hold_if_too_long(self.view.here[m.server_id] for m in later if m.server_id in self.view.here)
        return fresh

    def _may_go_on(self) -> bool:
        """Look at the node and its lease again when the requests before took their time."""
        if self.view.is_old():
            self.record.watch_lease()
            self.view.refresh()
        return not self.record.stopped

    def compute_gap(self) -> float:
        """Return after how many seconds those that wait are looked at again, when nothing flies."""
        waited = min((self.view.count_busy_seconds(move.server_id) for move in self.waiting), default=0.0)
        put_off = (self._not_before - self.ctx.now()).total_seconds() if self._not_before else 0.0
        return max(self.pace.next_poll(waited), put_off)

    def hold_if_too_long(self, busy: Iterable[Server]) -> None:
        """Hold the node for servers that have been busy for longer than a move may take.

        This is asked when nothing else is left to do, so that the others have moved.
        """
        for server in busy:
            if self.view.count_busy_seconds(server.id) > self.record.limit.total_seconds():
                self.record.hold(describe_busy(server, self.record.limit))

    def _is_put_off(self) -> bool:
        return self._not_before is not None and self.ctx.now() < self._not_before

    def _request(self, move: PlannedMove, after_id: int) -> Flight | None:
        """Request one move. A request whose answer is lost is looked for, never sent again blindly."""
        self.ctx.ensure_current()
        flight = Flight(
            move=move,
            source=self.view.host,
            destination=move.destinations[0],
            started_at=self.ctx.now(),
            after_id=after_id,
        )
        try:
            self._ask_nova(move)
        except RateLimitedError as exc:
            self._bear(exc)
            self.waiting.append(move)
            return None
        except TransientError as exc:
            self._bear(exc)
            return replace(flight, unsure=True)
        except EscalatorError as exc:
            self.end_trouble()
            self._note_refusal(flight, exc)
            return None
        self.end_trouble()
        what = f"{move.method} migration of {move.server_name} to {flight.destination}"
        log.info("%s: %s requested", self.ctx.host, what)
        return flight

    def _ask_nova(self, move: PlannedMove) -> None:
        if move.method.is_live:
            self.ctx.cloud.start_live_migration(move.server_id, move.destinations[0])
        else:
            asked = self.ctx.facts.cold_asked
            self.ctx.remember(cold_asked=(*asked, move.server_id))  # first: what is confirmed was asked for
            self.ctx.cloud.start_cold_migration(move.server_id, move.destinations[0])

    def end_trouble(self) -> None:
        """Note that Nova takes requests: the next one without a good answer is the first again."""
        self._trouble_since = None

    def _note_refusal(self, flight: Flight, exc: EscalatorError) -> None:
        """See what a refusal says of the server: it is gone, it has changed, or it cannot move like that."""
        match exc:
            case NotFoundError():
                log.info("%s: %s was deleted: left alone", self.ctx.host, flight.move.server_name)
            case ConflictError():
                self._look_again(flight.move, exc)
            case _:
                log.warning("%s: Nova refuses to move %s: %s", self.ctx.host, flight.move.server_name, exc)
                self.refused.append((flight, str(exc)))

    def _bear(self, exc: TransientError) -> None:
        """Bear with requests that get no good answer, for as long as with questions; nothing follows at once.

        :raises TransientError: they have got none for too long.
        """
        now = self.ctx.now()
        self._trouble_since = self._trouble_since or now
        if now - self._trouble_since > TOLERATED:
            raise exc
        pause = max(exc.retry_after_seconds or 0.0, self.pace.poll_seconds)
        self._not_before = now + timedelta(seconds=min(pause, TOLERATED.total_seconds()))
        log.warning("%s: no request for %.0f s: %s", self.ctx.host, pause, exc)

    def _look_again(self, move: PlannedMove, exc: ConflictError) -> None:
        """Look again at a server that has changed in the moment between look and request."""
        self._conflicts[move.server_id] += 1
        self.view.forget()
        if self._conflicts[move.server_id] >= REFUSALS:
            self.record.hold(describe_refusal(move, str(exc)))
            return
        log.info("%s: %s has changed, it is looked at again: %s", self.ctx.host, move.server_name, exc)
        self.waiting.append(move)


def _has_changed(server: Server, move: PlannedMove) -> bool:
    """Tell whether a server is not as it was planned: it would be moved in another way, or not at all."""
    if move.method.is_live:
        return server.vm_state not in _LIVE
    return server.vm_state not in ({move.vm_state} if move.vm_state else _COLD)
