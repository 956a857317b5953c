"""What a source of HA groups finds in a cloud, and the interface that every source has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from escalator.model.cloud import CloudSnapshot, HaGroup
from escalator.model.interruption import SWITCH_SECONDS
from escalator.model.vnf_means import ProbeTarget, SwitchoverMeans

MODES = ("active-standby", "load-balanced", "none")
PAIRED, SHARED = "active-standby", "load-balanced"
ROLES = ("active", "standby", "member")


LONGEST_LEAD_SECONDS = 86_400.0
"""A project asks for no longer lead time: it would keep a campaign waiting for ever. The operator may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnConstraints:
    """What is asked for one server, whatever group it is in. Times are seconds; what is None is not said.

    :ivar migration_types: ``live`` and ``cold``, the preferred one first; empty: it must not be moved.
    :ivar lead_seconds: between the notice and the first impact.
    :ivar max_interruption_seconds: interruption that does no harm.
    """

    migration_types: tuple[str, ...] | None = None
    lead_seconds: float | None = None
    max_interruption_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGroup:
    """One HA group in one cloud.

    :ivar origin: where it is declared, for messages: a file and a path in it, or the metadata.
    :ivar group: members that the cloud does not have stand in it too: they count as impacted.
    :ivar roles: server id -> role; a member without an entry has none.
    :ivar means: how it is switched over without a manager; None: it says nothing of it.
    :ivar probe: where its service is probed; None: nowhere.
    """

    origin: str
    group: HaGroup
    roles: Mapping[str, str] = field(default_factory=dict)
    means: SwitchoverMeans | None = None
    probe: ProbeTarget | None = None


def cut_interruption(seconds: float | None) -> float | None:
    """Return what interruption a project may say that it bears (s): no more than one switch may take.

    Clients of Fenix put 120 s by default, for another meaning of the word. The operator may allow more.
    """
    return None if seconds is None else min(seconds, SWITCH_SECONDS)


class HaGroupSource(Protocol):
    """A place that HA groups are declared in, and constraints of single servers."""

    def groups(self, snapshot: CloudSnapshot) -> tuple[FoundGroup, ...]:
        """Return the groups as they are in this cloud.

        :raises InvalidRequestError: the source contradicts itself.
        """

    def constraints(self, snapshot: CloudSnapshot) -> Mapping[str, OwnConstraints]:
        """Return what is asked for single servers: server id -> constraints.

        :raises InvalidRequestError: the source contradicts itself.
        """
