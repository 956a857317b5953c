"""What a source of HA groups finds in a cloud, and the interface that every source has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from escalator.model.cloud import CloudSnapshot, HaGroup

MODES = ("active-standby", "load-balanced", "none")
PAIRED, SHARED = "active-standby", "load-balanced"
ROLES = ("active", "standby", "member")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGroup:
    """One HA group in one cloud.

    :ivar origin: where it is declared, for messages: a file and a path in it, or the metadata.
    :ivar group: members that the cloud does not have stand in it too: they count as impacted.
    :ivar roles: server id -> role; a member without an entry has none.
    :ivar migration_types: ``live`` and ``cold``, the preferred one first; None: no restriction.
    :ivar migration_types_of: server id -> the same, for members that have their own.
    """

    origin: str
    group: HaGroup
    roles: Mapping[str, str] = field(default_factory=dict)
    migration_types: tuple[str, ...] | None = None
    migration_types_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class HaGroupSource(Protocol):
    """A place that HA groups are declared in."""

    def groups(self, snapshot: CloudSnapshot) -> tuple[FoundGroup, ...]:
        """Return the groups as they are in this cloud.

        :raises InvalidRequestError: the source contradicts itself.
        """
