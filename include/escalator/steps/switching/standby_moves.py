"""Moves a standby to an upgraded node before it takes over, so that it need not hand the service back later.

It leaves a node in service, which stays as it is. The move is written down before it is asked for; a second
run, after whatever end of the first one, brings it to its end and asks for none twice. One that fails, or
may not be, keeps no switchover: the standby takes over where it is.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import timedelta

from escalator.model.cloud import CloudSnapshot, HaGroup, Server
from escalator.model.errors import (
    EscalatorError,
    LeaseLostError,
    StepHungError,
    SupersededError,
    TransientError,
)
from escalator.model.moves import MoveRecord, StandbyMove
from escalator.model.verdict import Verdict
from escalator.steps.moving.drain import Drain
from escalator.steps.moving.endings import CLEAR
from escalator.steps.moving.flights import Flight
from escalator.steps.moving.pace import DrainPace
from escalator.steps.running.context import StepContext
from escalator.upgrade_manager.schedule.admission import open_round_beside
from escalator.upgrade_manager.schedule.round_state import RoundState
from escalator.upgrade_manager.schedule.switchovers import plan_standby_move
from escalator.upgrade_manager.state.capacity import MEMORY

log = logging.getLogger("escalator.steps.switchover")

SLACK = timedelta(minutes=5)
"""How much older than ours a migration may be by Nova's clock."""


@dataclass(slots=True, kw_only=True)
class StandbyMoves:
    """The moves of standbys on behalf of one node.

    :ivar snapshot: the cloud as it is now; what is moved here is counted on top.
    :ivar skipped: why standbys that should have moved take over where they are.
    """

    ctx: StepContext
    snapshot: CloudSnapshot
    moved: list[MoveRecord] = field(default_factory=list)
    skipped: list[Verdict | str] = field(default_factory=list)
    _round: RoundState | None = None

    def move_first(self, group: HaGroup, standby: Server) -> Server:
        """Move a standby if the planner says so; return it as it is then, wherever it is.

        :raises LeaseLostError: the node is not ours any more; what flew has landed.
        :raises TransientError: Nova gives no good answer for long.
        """
        to = self._find_place(group, standby)
        if to is None:
            return standby
        why = self._find_objection(standby, to)
        if why:
            self._skip(standby, to, why)
            return standby
        self._move(standby, to)
        return self._look_again(standby)

    def _look_again(self, standby: Server) -> Server:
        """Return a server as Nova has it now, with what the HA groups say of it."""
        now = self.ctx.find_server(standby.id)
        if now is None:
            return replace(standby, vm_state="deleted", host=None)
        return replace(
            standby,
            host=now.host,
            vm_state=now.vm_state,
            task_state=now.task_state,
            power_state=now.power_state,
        )

    def _find_place(self, group: HaGroup, standby: Server) -> str | None:
        if not self.ctx.plan.request.move_standbys:
            return None
        if self._round is None:
            view = self.ctx.run.view()
            self._round = open_round_beside(self.snapshot, self.ctx.plan, view, self.ctx.now())
        to = plan_standby_move(self._round, group, standby.id)
        if to is not None:
            self._round.on_the_way.add(standby.id)
            self._round.claim(standby, to)
        return to

    def _find_objection(self, standby: Server, to: str) -> str:
        """Say what speaks against a move, right before it is asked for; nothing when nothing does.

        The nodes are not leased by us: somebody may have taken one since the snapshot.
        """
        desk = self.ctx.campaign.desk
        manager = desk.manager_of(standby) if desk is not None else None
        if manager is not None:
            return f"it is managed by {manager.id}, who was not asked about it"
        for host in (standby.host or "", to):
            if not self.ctx.cloud.fetch_service(host).eligible_destination:
                return f"{host} is out of service now"
        now = self.ctx.cloud.fetch_server(standby.id)
        if now.host != standby.host or now.task_state is not None or now.vm_state != standby.vm_state:
            return f"it is on {now.host} now, {now.vm_state}, task {now.task_state}"
        return ""

    def _move(self, standby: Server, to: str) -> None:
        ctx, source = self.ctx, standby.host or ""
        ctx.ensure_leased()
        now = ctx.now()
        known = ctx.cloud.fetch_migrations(server_id=standby.id, since=now - SLACK)
        move = StandbyMove(
            server_id=standby.id,
            server_name=standby.name,
            source=source,
            destination=to,
            memory_mib=standby.resources.get(MEMORY, 0),
            asked_at=now,
            after_id=max((m.id for m in known), default=0),
        )
        ctx.remember(standby_move=move)  # first: a second run knows what to look for
        drain = _make_drain(ctx, move)
        drain.queue.waiting.append(move.move)

        _run(ctx, drain)
        done = [record for record in drain.record.ended if record.succeeded]
        self.moved += done
        if not done:
            self.skipped += [_of_nobody_held(v) for v in drain.record.held] or [
                f"{standby.name} was not moved to {to}: it takes over anyway"
            ]

    def _skip(self, standby: Server, to: str, why: str) -> None:
        message = f"{standby.name} does not move to {to} before it takes over: {why}"
        log.warning("%s: %s", self.ctx.host, message)
        self.skipped.append(message)


def settle_standby_move(ctx: StepContext) -> None:
    """Bring to its end the move of a standby that an earlier attempt has written down; ask for nothing.

    :raises LeaseLostError: the node is not ours any more; what flew has landed.
    :raises TransientError: Nova gives no good answer for long.
    """
    move = ctx.facts.standby_move
    if move is None:
        return
    server = ctx.find_server(move.server_id)
    if server is None:
        ctx.remember(standby_move=None)
        return
    found = ctx.cloud.fetch_migrations(server_id=move.server_id, since=move.asked_at - SLACK)
    own = [m for m in found if m.id > move.after_id and m.source_host == move.source]
    recorded = {record.migration for record in ctx.run.moves(ctx.host)}
    asked = bool(own) or (server.task_state is not None and server.host == move.source)
    if not asked or any(m.uuid in recorded for m in own):
        ctx.remember(standby_move=None)
        return
    log.info("%s: %s was about to move to %s", ctx.host, move.server_name, move.destination)
    drain = _make_drain(ctx, move)
    drain.flying.append(
        Flight(
            move=move.move,
            source=move.source,
            destination=move.destination,
            started_at=move.asked_at,
            after_id=move.after_id,
        )
    )
    _run(ctx, drain)


def _of_nobody_held(verdict: Verdict) -> Verdict:
    """Take out of a remedy what is to be done for a node that is held: none is."""
    remedy = (verdict.remedy or "").replace(f", {CLEAR}", "").replace(f"; {CLEAR}", "")
    return replace(verdict, remedy=remedy)


def _make_drain(ctx: StepContext, move: StandbyMove) -> Drain:
    drain = Drain.of(
        ctx,
        since=move.asked_at - SLACK,
        after_id=move.after_id,
        pace=DrainPace(at_once=1),
        source=move.source,
    )
    drain.record.follows = "it takes over where it is"
    return drain


def _run(ctx: StepContext, drain: Drain) -> None:
    """Run it to its end; what Nova refuses is no reason not to go on."""
    try:
        drain.run()
    except LeaseLostError:
        ctx.remember(standby_move=None)
        raise
    except (SupersededError, StepHungError, TransientError):
        raise
    except EscalatorError as exc:
        log.warning("%s: the move of a standby ended early: %s", ctx.host, exc)
    ctx.remember(standby_move=None)
