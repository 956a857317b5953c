"""What the small cloud is made of: hosts, servers, moves, writes; and the clock and the fuse of a test."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Concatenate, ParamSpec, TypeVar

from tests.builders import NOW

from escalator.model.cloud import (
    Migration,
    MigrationStatus,
    NetworkAgent,
    ResourceInventory,
    Server,
    ServiceState,
    ServiceStatus,
)
from escalator.model.feature import Feature

START = NOW
METHODS = {"active": "live", "paused": "live", "stopped": "cold"}
POWER_STATES = {"paused": "paused", "stopped": "shutdown"}
P = ParamSpec("P")
R = TypeVar("R")


class Fault(StrEnum):
    """How the moves of a server go wrong."""

    NONE = ""
    REFUSE = "refuse"
    """The request is answered with a conflict."""
    LOST = "lost"
    """The request is accepted, no migration record ever appears, the server stays busy."""
    FAIL = "fail"
    PRECHECK_FAIL = "precheck-fail"
    HANG = "hang"
    ERROR = "error"
    """A check ends in what nova-conductor does not expect: the server is in ERROR, its guest unharmed."""
    HALF_LANDED = "half-landed"
    """The migration is completed, the server is still on the source and ``migrating``."""
    DIE = "die"
    """The source's nova-compute dies: the migration runs for ever, and an abort does not help."""


WRONG_LIVE = {
    Fault.FAIL: ("running", "failed"),
    Fault.PRECHECK_FAIL: ("preparing", "error"),
    Fault.ERROR: ("error",),
    Fault.HALF_LANDED: ("running", "half-landed"),
    Fault.HANG: ("preparing", "running"),
    Fault.DIE: ("preparing", "running"),
}
WRONG_COLD = {
    Fault.FAIL: ("migrating", "error"),
    Fault.PRECHECK_FAIL: ("error",),
    Fault.ERROR: ("error",),
    Fault.HANG: ("migrating",),
    Fault.DIE: ("migrating",),
}
"""The statuses of a move that goes wrong, one a poll."""


class KilledError(BaseException):
    """The process was killed here: nothing catches it, nothing is cleaned up."""


@dataclass
class Fuse:
    """Counts what a process does to the world, and kills it at the count that a test has set."""

    left: int | None = None
    burnt: int = 0

    def burn(self) -> None:
        """Count one act."""
        self.burnt += 1
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise KilledError


@dataclass
class Clock:
    """The time, which goes on when somebody sleeps."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Host:
    """A nova-compute service with what hangs on it."""

    name: str
    status: ServiceStatus = ServiceStatus.ENABLED
    reason: str | None = None
    died_at: datetime | None = None
    hypervisor: ServiceState = ServiceState.UP
    inventory: dict[str, ResourceInventory] = field(default_factory=dict)
    agents: tuple[NetworkAgent, ...] = ()
    canary_fault: str | None = None
    traits: tuple[str, ...] = ("COMPUTE_NODE", "HW_CPU_X86_TSX")
    aggregates: tuple[str, ...] = ("a-general",)
    strays: tuple[str, ...] = ()
    move_fault: str | None = None
    hypervisor_version: str | None = None


@dataclass
class Guest:
    """A server."""

    id: str
    host: str
    vm_state: str = "active"
    task_state: str | None = None
    fault: Fault = Fault.NONE
    faults_left: int = 99
    power_fault: str = ""
    memory_mib: int = 512
    features: frozenset[Feature] = frozenset()
    port_features: frozenset[Feature] = frozenset()
    has_share: bool = False
    metadata: dict[str, str] = field(default_factory=dict)


def server_of(guest: Guest) -> Server:
    """Return a server as Nova shows it."""
    return Server(
        id=guest.id,
        name=guest.id,
        host=guest.host,
        vm_state=guest.vm_state,
        task_state=guest.task_state,
        power_state=POWER_STATES.get(guest.vm_state, "running"),
        migration=METHODS.get(guest.vm_state, "none"),
        resources={"VCPU": 1, "MEMORY_MB": guest.memory_mib, "DISK_GB": 1},
        features=guest.features,
        metadata=guest.metadata,
    )


@dataclass
class Move:
    """A migration, and the statuses that it has before it."""

    id: int
    guest: Guest
    type: str
    source: str
    dest: str
    created_at: datetime
    script: list[str]
    was: str
    status: MigrationStatus = MigrationStatus.ACCEPTED
    visible: bool = False
    updated_at: datetime | None = None
    deaf: bool = False
    copied: int | None = None
    deleted: bool = False

    def record(self) -> Migration:
        """Return it as Nova shows it."""
        return Migration(
            id=self.id,
            uuid=f"migration-{self.id}",
            server_id=self.guest.id,
            type=self.type,
            status=self.status,
            source_host=self.source,
            dest_host=self.dest,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


@dataclass(frozen=True, kw_only=True)
class Write:
    """One write that changed something: what was done to whom, and how it was found."""

    verb: str
    subject: str
    detail: str = ""
    found: str | None = None


def request(method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """Make a method one request: counted, refused when ordered, a place to be killed before and after."""

    @functools.wraps(method)
    def asked(self: Any, *args: P.args, **kwargs: P.kwargs) -> R:
        self.counter.count(method.__name__)
        self.fuse.burn()
        if self.before is not None:
            self.before(method.__name__)
        if errors := self.errors.get(method.__name__):
            raise errors.pop(0)
        result = method(self, *args, **kwargs)
        self.fuse.burn()
        return result

    return asked
