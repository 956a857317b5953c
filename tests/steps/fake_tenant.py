"""Owners and administrators who do things to servers while a node is drained, as Nova lets them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from tests.steps.fake_records import Guest
from tests.steps.worlds import NODE, World


class Act(StrEnum):
    """What is done to a server."""

    DELETE = "delete"
    SOFT_DELETE = "soft-delete"
    SNAPSHOT = "snapshot"
    RESIZE = "resize"
    SHELVE = "shelve"
    STOP = "stop"
    LIVE_MIGRATE = "live-migrate"
    """By another administrator."""


@dataclass
class Tenant:
    """Acts at the sleeps of a step, and ends what takes time.

    :ivar deeds: at which sleep, to which server, what.
    :ivar away: servers that left the node by what was done here.
    """

    world: World
    deeds: Sequence[tuple[int, int, Act]] = ()
    takes: timedelta = timedelta(seconds=20)
    sleeps: int = 0
    away: set[str] = field(default_factory=set)
    _later: list[tuple[datetime, Callable[[], None]]] = field(default_factory=list)

    def watch(self) -> None:
        """Act from now on."""
        sleep = self.world.clock.sleep

        def act(seconds: float) -> None:
            sleep(seconds)
            self.sleeps += 1
            due = [what for when, what in self._later if when <= self.world.clock.now]
            self._later = [item for item in self._later if item[0] > self.world.clock.now]
            for what in due:
                what()
            for at, number, deed in self.deeds:
                guests = sorted(self.world.cloud.guests)
                if at == self.sleeps and number < len(guests):
                    self.do(deed, self.world.cloud.guests[guests[number]])

        self.world.clock.sleep = act  # type: ignore[method-assign]

    def do(self, deed: Act, guest: Guest) -> None:
        """Do something, if the server's state allows it."""
        cloud = self.world.cloud
        if deed is Act.DELETE:
            cloud.delete(guest.id)
            self.away.add(guest.id)
            return
        if guest.task_state is not None or guest.vm_state not in {"active", "stopped"}:
            return
        others = [h for h in sorted(cloud.hosts) if h not in {NODE, guest.host}]
        match deed:
            case Act.SOFT_DELETE:
                guest.vm_state = "soft-delete"
            case Act.SNAPSHOT:
                self._busy(guest, "image_snapshot")
            case Act.SHELVE:
                self._busy(guest, "shelving", lambda: self._offload(guest))
            case Act.STOP if guest.vm_state == "active":
                self._busy(guest, "powering-off", lambda: setattr(guest, "vm_state", "stopped"))
            case Act.RESIZE if others:
                self.away.add(guest.id)
                cloud.begin_move(guest, "resize", others[0], ("migrating", "finished", "waits"))
            case Act.LIVE_MIGRATE if guest.vm_state == "active" and others:
                self.away.add(guest.id)
                cloud.begin_move(guest, "live-migration", others[0], ("queued", "running", "completed"))

    def _busy(self, guest: Guest, task: str, then: Callable[[], None] = lambda: None) -> None:
        guest.task_state = task

        def end() -> None:
            guest.task_state = None
            then()

        self._later.append((self.world.clock.now + self.takes, end))

    def _offload(self, guest: Guest) -> None:
        guest.vm_state, guest.host = "shelved_offloaded", ""
        self.away.add(guest.id)
