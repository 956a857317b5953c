"""The engine: events in time. It decides nothing: departures and switchovers are the upgrade manager's."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count
from typing import Any, NamedTuple

from escalator.model.cloud import CloudSnapshot, Server
from escalator.model.verdict import Code
from escalator.simulator.bounds import LowerBounds, compute_lower_bounds
from escalator.simulator.options import SimulationOptions
from escalator.simulator.played_cloud import PlayedCloud, explain_refusal, find_refusals, open_played_cloud
from escalator.upgrade_manager.drain.drains import choose_move_method
from escalator.upgrade_manager.schedule.planning import TargetOrder
from escalator.upgrade_manager.schedule.round_state import Departure
from escalator.upgrade_manager.schedule.switchovers import Switchover, plan_switchovers
from escalator.upgrade_manager.state.capacity import MEMORY

SCHEMA = "escalator.trace/1"
_HAIR = 1e-4
"""Of a millisecond: what floating point may add to a time. Things happen at whole milliseconds."""
Event = dict[str, Any]
Held = dict[str, tuple[str, str]]
"""host -> code and reason."""


class Played(NamedTuple):
    """A campaign that was played: the document ``escalator.trace/1``, and the order that it was played in."""

    trace: Event
    order: TargetOrder


def simulate(snapshot: CloudSnapshot, options: SimulationOptions, *, digest: str | None = None) -> Event:
    """Play a campaign as :func:`play_campaign` does, and return its trace only."""
    return play_campaign(snapshot, options, digest=digest).trace


def play_campaign(
    snapshot: CloudSnapshot, options: SimulationOptions, *, digest: str | None = None
) -> Played:
    """Play a campaign over all targets of a snapshot; without targets, over all nodes not upgraded.

    A campaign in which a node could not be emptied for want of room is refused: nothing happens in it, and
    every node is held with the reason.

    :param digest: SHA-256 of the snapshot, for the trace.
    """
    started = time.process_time()
    played = open_played_cloud(snapshot, options)
    bounds = compute_lower_bounds(played, options)
    engine, held = _play(snapshot, options, played)
    trace = {
        "schema": SCHEMA,
        "snapshot_sha256": digest,
        "max_parallel": options.max_parallel,
        "events": engine.events,
        "result": _make_result(engine, held, bounds.without(set(held)), time.process_time() - started),
    }
    return Played(trace, engine.played.order)


def _play(snapshot: CloudSnapshot, options: SimulationOptions, played: PlayedCloud) -> tuple[Engine, Held]:
    """Play as asked; where that leaves a node without room, more cautiously; else refuse the campaign."""
    lacking = find_refusals(played)
    slower = replace(options, max_parallel=1, spill=1.0, move_standbys=False)
    for tried in () if lacking else (options, slower, replace(slower, hard_first=True)):
        engine = Engine(
            played=played if tried is options else open_played_cloud(snapshot, tried), options=tried
        )
        engine.run()
        held = engine.explain_held()
        short = {host: why for host, why in held.items() if why[0] == Code.CAPACITY}
        if not short:
            return engine, held
        lacking = lacking or short
    return Engine(played=played, options=options), explain_refusal(played, lacking)


def _make_result(engine: Engine, held: Held, bounds: LowerBounds, cpu: float) -> Event:
    events = engine.events
    return {
        "upgraded": sorted(engine.upgraded),
        "held": [{"host": h, "code": code, "reason": why} for h, (code, why) in sorted(held.items())],
        "moves": engine.moves,
        "standby_moves": engine.standby_moves,
        "moves_lower_bound": bounds.moves,
        "switchovers": engine.switchovers,
        "makespan_seconds": round(events[-1]["t"] - events[0]["t"], 3) if events else 0.0,
        "makespan_lower_bound_seconds": round(bounds.makespan_seconds, 3),
        "cpu_seconds": round(cpu, 3),
    }


@dataclass(slots=True, kw_only=True)
class _Node:
    """A node that is out: what it still waits for before its upgrade."""

    moves: int = 0
    switches: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    server: Server
    to: str
    kind: str
    switch: Switchover | None = None
    of: str
    """The node that waits for it."""


@dataclass(slots=True, kw_only=True)
class Engine:
    """A campaign being played."""

    played: PlayedCloud
    options: SimulationOptions
    events: list[Event] = field(default_factory=list)
    upgraded: list[str] = field(default_factory=list)
    now: float = 0.0
    moves: int = 0
    standby_moves: int = 0
    switchovers: int = 0
    _woken: float = -1.0
    _soaks_until: float = 0.0
    _agenda: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _number: Any = field(default_factory=count)
    _nodes: dict[str, _Node] = field(default_factory=dict)
    _lanes: dict[str, int] = field(default_factory=dict)
    _waiting: dict[str, deque[_Move]] = field(default_factory=dict)

    def run(self) -> None:
        """Play until nothing is left to happen."""
        self._admit()
        while self._agenda:
            self.now, _, action = heappop(self._agenda)
            action()
            while self._agenda and self._agenda[0][0] <= self.now:
                heappop(self._agenda)[2]()
            self._admit()

    def explain_held(self) -> dict[str, tuple[str, str]]:
        """Return why each target that was not upgraded stays as it is: host -> (code, reason)."""
        return self.played.explain_held(self.now)

    def _admit(self) -> None:
        if not self.played.changed or self.now < self._soaks_until:
            return
        self.played.changed = False
        for departure in self.played.open_round(self.now).choose_departures():
            self._begin(departure)
        wake = self.played.state.availability.find_next_change(self.now)
        if wake is not None and wake != self._woken:
            self._woken = wake
            self._at(wake, self._wake)

    def _wake(self) -> None:
        self.played.wake()

    def _begin(self, departure: Departure) -> None:
        host = departure.host
        self._say("admit", host=host)
        node = self._nodes[host] = _Node()
        state = self.played.state
        for switch in plan_switchovers(state, host, move_standbys=self.options.move_standbys):
            if switch.move_to is None:
                self._switch(switch)
                continue
            node.switches += 1
            standby = self.played.server(switch.standby)
            state.on_the_way.add(standby.id)
            state.claim(standby, switch.move_to)
            self._queue(_Move(server=standby, to=switch.move_to, kind="standby", switch=switch, of=host))
        for server_id, to in departure.simulation.placements.items():
            server = self.played.server(server_id)
            method = choose_move_method(server)
            node.moves += 1
            self._queue(_Move(server=server, to=to, kind=str(method or "live"), of=host))
        self._upgrade_if_ready(host)

    def _queue(self, move: _Move) -> None:
        source = move.server.host or ""
        if self._lanes.get(source, 0) < self.options.concurrent_migrations:
            self._start(move)
        else:
            self._waiting.setdefault(source, deque()).append(move)

    def _start(self, move: _Move) -> None:
        source = move.server.host or ""
        self._lanes[source] = self._lanes.get(source, 0) + 1
        self._say("move_start", server=move.server.id, **{"from": source}, to=move.to, kind=move.kind)
        seconds = self.played.state.durations.move_seconds(move.server.resources.get(MEMORY, 0))
        self._at(self.now + seconds, lambda: self._land(move))

    def _land(self, move: _Move) -> None:
        source = move.server.host or ""
        self._say("move_end", server=move.server.id, **{"from": source}, to=move.to, kind=move.kind)
        self.played.land(move.server, move.to)
        self._lanes[source] -= 1
        waiting = self._waiting.get(source)
        if waiting:
            self._start(waiting.popleft())
        node = self._nodes[move.of]
        if move.switch is not None:
            self.standby_moves += 1
            node.switches -= 1
            self._switch(move.switch)
        else:
            self.moves += 1
            node.moves -= 1
        self._upgrade_if_ready(move.of)

    def _switch(self, switch: Switchover) -> None:
        self.switchovers += 1
        self.played.state.availability.switch(switch.active, switch.standby)
        self._say("switchover", ha_group=switch.group, **{"from": switch.active}, to=switch.standby)

    def _upgrade_if_ready(self, host: str) -> None:
        node = self._nodes[host]
        if node.moves or node.switches:
            return
        stopped = self.played.stopped_on(host)
        for server in stopped:
            self._say("stop", server=server.id)
        self._say("upgrade_start", host=host)
        self._at(self.now + self.options.upgrade_seconds, lambda: self._finish(host, stopped))

    def _finish(self, host: str, stopped: list[Server]) -> None:
        self._say("upgrade_end", host=host)
        for server in stopped:
            self._say("start", server=server.id)
        self._say("release", host=host)
        self.upgraded.append(host)
        del self._nodes[host]
        self.played.give_back(host, self.now)
        if self.options.soak_seconds:
            self._soaks_until = _round_up(self.now + self.options.soak_seconds)
            self._at(self._soaks_until, self._wake)

    def _at(self, when: float, action: Callable[[], None]) -> None:
        heappush(self._agenda, (_round_up(when), next(self._number), action))

    def _say(self, event: str, **fields: Any) -> None:  # noqa: ANN401  JSON
        self.events.append({"t": self.now, "event": event, **fields})


def _round_up(when: float) -> float:
    """Return the whole millisecond at which something happens: a sum of two may be a hair beyond."""
    return math.ceil(when * 1000 - _HAIR) / 1000
