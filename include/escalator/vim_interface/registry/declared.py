"""What a VNF file declares: groups, who their members are, and their constraints in ETSI's words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple

from escalator.model.cloud import CloudSnapshot, HaGroup, Server
from escalator.model.vnf_means import ProbeTarget, SwitchoverMeans

STRICTEST = 1
"""Members that may be impacted at once when a list by size names neither this size nor a default."""


class BySize(NamedTuple):
    """A limit by group size: ``exact`` size -> limit, and the limit of every other size, if there is one."""

    exact: Mapping[int, int]
    default: int | None = None

    def of(self, size: int) -> int | None:
        """Return the limit of a group of that size; None when nothing is said of it."""
        return self.exact.get(size, self.default)


class ServerIndex:
    """The servers of a snapshot by id, by project and by server group: read once for all groups."""

    def __init__(self, snapshot: CloudSnapshot) -> None:
        self.by_id = {server.id: server for server in snapshot.servers}
        self._of_project: dict[str | None, list[Server]] = defaultdict(list)
        self._of_group: dict[str | None, list[Server]] = defaultdict(list)
        for server in snapshot.servers:
            self._of_project[server.project_id].append(server)
            self._of_group[server.server_group].append(server)

    def selected(self, member: Member, project_id: str | None) -> tuple[Server, ...]:
        """Return the servers that an entry means; names and metadata count in that project only."""
        if member.id is not None:
            return (self.by_id[member.id],) if member.id in self.by_id else ()
        if member.server_group is not None:
            return tuple(self._of_group.get(member.server_group, ()))
        return tuple(s for s in self._of_project.get(project_id, ()) if member.selects(s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One entry of a group's ``members``: exactly one of id, name, metadata and server_group selects.

    :ivar name: name of the server; ``*``, ``?`` and ``[...]`` as in a shell.
    :ivar metadata: every pair must be in the server's metadata.
    :ivar server_group: id of a server group of Nova's: all its members.
    """

    id: str | None = None
    name: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    server_group: str | None = None
    role: str | None = None

    def absent(self, group_id: str) -> str:
        """Return what stands for the member as long as the cloud has no such server."""
        if self.id is not None:
            return self.id
        if self.name is not None:
            return f"name {self.name} of {group_id}"
        if self.server_group is not None:
            return f"server group {self.server_group} of {group_id}"
        pairs = ", ".join(f"{key}={value}" for key, value in sorted(self.metadata.items()))
        return f"metadata {pairs} of {group_id}"

    def selects(self, server: Server) -> bool:
        """Tell whether name or metadata of a server are those of the entry."""
        if self.name is not None:
            return fnmatchcase(server.name, self.name)
        return all(server.metadata.get(key) == value for key, value in self.metadata.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredGroup:
    """One group of a VNF file, before it is looked up in a cloud.

    :ivar origin: file and path of the group, for messages.
    :ivar vnf: name of the VNF that it is a part of.
    :ivar project_id: the project that names and metadata are looked up in.
    :ivar migration_types: ``live`` and ``cold``, the preferred one first; None: as the server's state allows.
    :ivar max_interruption_seconds: interruption that does no harm; None: nothing is said of it.
    :ivar means: how it is switched over without a manager; :ivar probe: where its service is probed.
    """

    origin: str
    id: str
    mode: str
    project_id: str | None
    members: tuple[Member, ...]
    max_impacted: BySize | None = None
    min_preserved: BySize | None = None
    recovery_seconds: float = 0.0
    lead_seconds: float = 0.0
    migration_types: tuple[str, ...] | None = None
    max_interruption_seconds: float | None = None
    means: SwitchoverMeans | None = None
    probe: ProbeTarget | None = None
    vnf: str = ""

    def group_of(self, members: tuple[str, ...]) -> HaGroup:
        """Make the group with these members; limits by size are those of their number."""
        size = len(members)
        most = self.max_impacted.of(size) if self.max_impacted else None
        least = self.min_preserved.of(size) if self.min_preserved else None
        if most is None and self.max_impacted:
            most = STRICTEST
        if least is None and self.min_preserved:
            least = max(0, size - STRICTEST)
        return HaGroup(
            id=self.id,
            mode=self.mode,
            members=members,
            max_impacted=most,
            min_preserved=least,
            recovery_seconds=self.recovery_seconds,
            lead_seconds=self.lead_seconds,
        )
