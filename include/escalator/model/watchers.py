"""Who watches the cloud and acts on its own: what is told to them, and what they say before a node goes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from escalator.model.verdict import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSign:
    """Why nodes that are not out yet have to wait, as one that watches the cloud says.

    :ivar hosts: the nodes that it is about; None: all.
    """

    code: Code
    message: str
    hosts: frozenset[str] | None = None

    def concerns(self, host: str) -> bool:
        """Tell whether it is about a node."""
        return self.hosts is None or host in self.hosts


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHost:
    """A host in one of Masakari's failover segments; its name is that of its nova-compute service."""

    id: str
    name: str
    segment_id: str
    on_maintenance: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """A recovery of Masakari's that is not over: a notification that is new, running, or will be tried again.

    :ivar hosts: all hosts of its segment; None: it is not known which those are.
    :ivar source: the host that it is about; None: it is in no segment any more.
    """

    id: str
    status: str
    type: str
    source: str | None = None
    hosts: frozenset[str] | None = None

    def __str__(self) -> str:
        """Say which it is."""
        of = f" of {self.source}" if self.source else ""
        return f"{self.type} recovery{of}, notification {self.id} is {self.status}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceFlag:
    """That Masakari's host of a node was put on maintenance by a run, or was about to be. Times are aware.

    :ivar cleared_at: when the flag was seen to be off again; None: it was not.
    """

    segment_id: str
    host_id: str
    set_at: datetime
    cleared_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Silencing:
    """That the alerts of a node were silenced by a run, or were about to be. Times are aware.

    :ivar comment: what the silences are found by.
    :ivar ends_at: when they run out by themselves.
    :ivar ended_at: when they were ended, as the node was given back; None: they were not.
    """

    comment: str
    set_at: datetime
    ends_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What those that watch the cloud were told of one node."""

    maintenance: MaintenanceFlag | None = None
    silencing: Silencing | None = None


def find_sign(signs: Collection[StopSign], host: str) -> StopSign | None:
    """Return the first sign that is about a node."""
    return next((sign for sign in signs if sign.concerns(host)), None)
