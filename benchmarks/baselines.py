"""How others empty nodes: an engine for the arms that a plan is compared with.

Every arm leaves the members of 1+1 pairs on their nodes and switches their service away where there is a
standby to switch to, as ours does, so that moves are comparable. What an arm does not know it violates.
"""

from __future__ import annotations

import bisect
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, Literal

from escalator.model.cloud import CloudSnapshot, HaGroup, Server

MEMORY = "MEMORY_MB"
UPGRADE_SECONDS = 900.0
FIXED_SECONDS = 8.0
SECONDS_PER_GIB = 1.07
TRIES = 20
"""Random destinations that are tried before all are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One way to go through a fleet.

    :ivar order: nodes by name, or the one with the fewest servers first (Fenix).
    :ivar choice: destination by Nova's spreading weigher, random, the fullest that fits, or upgraded first.
    :ivar knows_pairs: admits no node whose pairs have their other member on a node that is out.
    :ivar all_at_once: asks for all moves of a node at once, as host-evacuate-live does.
    """

    name: str
    order: Literal["name", "least"] = "name"
    choice: Literal["spread", "random", "stack", "upgraded"] = "spread"
    knows_pairs: bool = False
    all_at_once: bool = False


ARMS = (
    Arm(name="serial loop, name order, Nova spread"),
    Arm(name="all at once, Nova spread", all_at_once=True),
    Arm(name="name order, random destination", choice="random"),
    Arm(name="name order, stacking", choice="stack"),
    Arm(name="Fenix order", order="least"),
    Arm(name="upgraded first, HA-aware", choice="upgraded", knows_pairs=True),
)


class Room:
    """What is free on the nodes of each domain, sorted by memory, for destinations to be found fast."""

    def __init__(self, snapshot: CloudSnapshot) -> None:
        self.domain = {node.host: node.domain for node in snapshot.nodes}
        self.free = {n.host: {c: i.capacity for c, i in n.inventory.items()} for n in snapshot.nodes}
        self.open: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self.fresh: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self.upgraded: set[str] = set()
        for server in snapshot.servers:
            self._add(server.host or "", server, -1)
        for host in self.free:
            self.enable(host)

    def enable(self, host: str) -> None:
        """Let servers come to a node."""
        for lists in self._lists(host):
            bisect.insort(lists, self._key(host))

    def disable(self, host: str) -> None:
        """Let no servers come to a node."""
        for lists in self._lists(host):
            index = bisect.bisect_left(lists, self._key(host))
            if index < len(lists) and lists[index] == self._key(host):
                del lists[index]

    def change(self, host: str, server: Server, sign: int, *, enabled: bool) -> None:
        """Take (-1) or give (+1) a server's resources."""
        if enabled:
            self.disable(host)
        self._add(host, server, sign)
        if enabled:
            self.enable(host)

    def fits(self, host: str, server: Server) -> bool:
        """Tell whether a server has room on a node."""
        free = self.free[host]
        return all(amount <= free.get(name, 0) for name, amount in server.resources.items())

    def _add(self, host: str, server: Server, sign: int) -> None:
        free = self.free[host]
        for name, amount in server.resources.items():
            free[name] += sign * amount

    def _key(self, host: str) -> tuple[int, str]:
        return (self.free[host][MEMORY], host)

    def _lists(self, host: str) -> list[list[tuple[int, str]]]:
        domain = self.domain[host]
        return [self.open[domain], *([self.fresh[domain]] if host in self.upgraded else [])]


class Loop:
    """One arm going through one fleet."""

    def __init__(self, snapshot: CloudSnapshot, arm: Arm, parallel: int, seed: int = 0) -> None:
        self.arm, self.parallel = arm, parallel
        self.events: list[dict[str, Any]] = []
        self.now = 0.0
        self.room = Room(snapshot)
        self.dice = random.Random(seed)  # noqa: S311 - no secret
        self.place = {s.id: s.host or "" for s in snapshot.servers}
        self.on: dict[str, dict[str, Server]] = defaultdict(dict)
        for server in snapshot.servers:
            self.on[server.host or ""][server.id] = server
        self.load = {host: sum(not s.ha_group for s in self.on[host].values()) for host in self.room.free}
        self.pair: dict[str, tuple[HaGroup, str]] = {}
        for group in snapshot.ha_groups:
            one, other = group.members
            self.pair[one], self.pair[other] = (group, other), (group, one)
        self.active = {s.id for s in snapshot.servers if s.ha_role == "active"}
        self.beside = {m: g.members for g in snapshot.server_groups for m in g.members}
        self.out: set[str] = set()
        self.recovering: dict[str, float] = {}
        self.waiting: list[tuple[str, Iterator[float | None]]] = []
        self.agenda: list[tuple[float, int, str, Iterator[float | None]]] = []
        self.pending = [node.host for node in snapshot.nodes if node.target]
        self.held: dict[str, str] = {}
        self.counts = dict.fromkeys(("moves", "switchovers"), 0)
        self.number = 0

    def run(self) -> dict[str, Any]:
        """Play to the end and write the trace."""
        started = time.process_time()
        while True:
            self._admit()
            if self.agenda:
                self.now, _, host, life = heappop(self.agenda)
                self._step(host, life)
            elif self.waiting:
                self._give_up()
            elif not self.pending:
                break
            else:  # only pairs keep the rest waiting: their recovery ends
                self.now = min(until for until in self.recovering.values() if until > self.now)
        return self._trace(time.process_time() - started)

    def _admit(self) -> None:
        while len(self.out) < self.parallel and self.pending:
            host = self._next()
            if host is None:
                return
            self.pending.remove(host)
            self.out.add(host)
            self.room.disable(host)
            self._say("admit", host=host)
            self._step(host, self._life(host))

    def _next(self) -> str | None:
        able = (h for h in self.pending if not self.arm.knows_pairs or self._pairs_allow(h))
        if self.arm.order == "name":
            return next(able, None)
        return min(able, key=lambda h: (self.load[h], h), default=None)

    def _pairs_allow(self, host: str) -> bool:
        others = (self.pair[s][1] for s in self.on[host] if s in self.pair)
        return not any(
            self.place[o] in self.out or self.recovering.get(self.place[o], self.now) > self.now
            for o in others
        )

    def _step(self, host: str, life: Iterator[float | None]) -> None:
        """Go on with a node until it has to wait: for a time, or (None) for room."""
        for seconds in life:
            if seconds is None:
                self.waiting.append((host, life))
            else:
                self.number += 1
                heappush(self.agenda, (self.now + seconds, self.number, host, life))
            return

    def _life(self, host: str) -> Iterator[float | None]:
        leaving = sorted((s for s in self.on[host].values() if not s.ha_group), key=lambda s: s.name)
        if self.arm.all_at_once:
            yield from self._all_moves(host, leaving)
        else:
            for server in leaving:
                yield from self._one_move(host, server)
        self._switch(host)
        self._say("upgrade_start", host=host)
        yield UPGRADE_SECONDS
        self._say("upgrade_end", host=host)
        self.room.upgraded.add(host)
        self._release(host)

    def _one_move(self, host: str, server: Server) -> Iterator[float | None]:
        while (to := self._destination(server)) is None:
            yield None
        self._claim(server, to)
        yield from self._move(host, server, to)

    def _all_moves(self, host: str, leaving: list[Server]) -> Iterator[float | None]:
        """Let the scheduler choose for all at once; the node then copies one after the other."""
        asked = leaving
        while asked:
            chosen = []
            for server in asked:
                to = self._destination(server)
                if to is not None:
                    self._claim(server, to)
                    chosen.append((server, to))
            for server, to in chosen:
                yield from self._move(host, server, to)
            moved = {server.id for server, _ in chosen}
            asked = [server for server in asked if server.id not in moved]
            if asked:
                yield None

    def _claim(self, server: Server, to: str) -> None:
        self.room.change(to, server, -1, enabled=to not in self.out)

    def _move(self, host: str, server: Server, to: str) -> Iterator[float]:
        place = {"server": server.id, "from": host, "to": to, "kind": "live"}
        self._say("move_start", **place)
        yield FIXED_SECONDS + SECONDS_PER_GIB * server.resources[MEMORY] / 1024
        self._say("move_end", **place)
        self.room.change(host, server, 1, enabled=False)
        del self.on[host][server.id]
        self.on[to][server.id] = server
        self.place[server.id] = to
        self.load[host] -= 1
        self.load[to] += 1
        self.counts["moves"] += 1

    def _switch(self, host: str) -> None:
        """Let the standbys take over from the actives here, where they are in service."""
        for server in self.on[host]:
            if server in self.active and self.place[self.pair[server][1]] not in self.out:
                group, other = self.pair[server]
                self.active.remove(server)
                self.active.add(other)
                self.counts["switchovers"] += 1
                self._say("switchover", ha_group=group.id, **{"from": server, "to": other})

    def _release(self, host: str) -> None:
        self.out.discard(host)
        self.room.enable(host)
        recovery = (self.pair[s][0].recovery_seconds for s in self.on[host] if s in self.pair)
        self.recovering[host] = self.now + max(recovery, default=0.0)
        self._say("release", host=host)
        again, self.waiting = self.waiting, []
        for name, life in again:
            self._step(name, life)

    def _give_up(self) -> None:
        """Every node that is out waits for room: the last of them stays as it is and takes servers again."""
        host, _ = self.waiting.pop()
        self.held[host] = "servers on it found no destination"
        self._release(host)

    def _destination(self, server: Server) -> str | None:
        domain = self.room.domain[self.place[server.id]]
        if self.arm.choice == "upgraded":
            return next(self._candidates(server, self.room.fresh[domain], "stack"), None) or next(
                self._candidates(server, self.room.open[domain], "spread"), None
            )
        return next(self._candidates(server, self.room.open[domain], self.arm.choice), None)

    def _candidates(self, server: Server, nodes: list[tuple[int, str]], choice: str) -> Iterator[str]:
        first = bisect.bisect_left(nodes, (server.resources[MEMORY], ""))
        able = len(nodes) - first
        if choice == "random":
            picks = [nodes[first + self.dice.randrange(able)] for _ in range(TRIES if able else 0)]
            found = (host for _, host in (*picks, *nodes[first:]))
        elif choice == "stack":
            found = (nodes[i][1] for i in range(first, len(nodes)))
        else:
            found = (nodes[i][1] for i in range(len(nodes) - 1, first - 1, -1))
        for host in found:
            others = (m for m in self.beside.get(server.id, ()) if m != server.id)
            if self.room.fits(host, server) and all(self.place[m] != host for m in others):
                yield host

    def _say(self, event: str, **more: Any) -> None:  # noqa: ANN401 - JSON
        self.events.append({"t": round(self.now, 3), "event": event, **more})

    def _trace(self, cpu_seconds: float) -> dict[str, Any]:
        upgraded = sorted(self.room.upgraded)
        return {
            "schema": "escalator.trace/1",
            "snapshot_sha256": None,
            "max_parallel": self.parallel,
            "events": self.events,
            "result": {
                "upgraded": upgraded,
                "held": [{"host": h, "code": "capacity", "reason": why} for h, why in self.held.items()],
                **self.counts,
                "standby_moves": 0,
                "moves_lower_bound": 0,
                "makespan_seconds": self.events[-1]["t"] - self.events[0]["t"] if self.events else 0.0,
                "makespan_lower_bound_seconds": 0.0,
                "cpu_seconds": round(cpu_seconds, 3),
            },
        }
