"""HA groups and constraints from the metadata of Nova's servers.

``ha_group`` and ``ha_role``, and of the constraints ETSI's names: ``impact_notification_lead_time``,
``max_undetectable_interruption_time``, ``supported_migration_type``.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from escalator.model.cloud import CloudSnapshot, HaGroup, Server
from escalator.vim_interface.registry.found import (
    LONGEST_LEAD_SECONDS,
    PAIRED,
    ROLES,
    SHARED,
    FoundGroup,
    OwnConstraints,
    cut_interruption,
)
from escalator.vim_interface.registry.vnf_document import METHODS, read_time

GROUP_KEY = "ha_group"
ROLE_KEY = "ha_role"

LEAD_KEY = "impact_notification_lead_time"
INTERRUPTION_KEY = "max_undetectable_interruption_time"
MIGRATION_KEY = "supported_migration_type"
NO_MIGRATION = "NO_MIGRATION"
_KEYS = frozenset({LEAD_KEY, INTERRUPTION_KEY, MIGRATION_KEY})
_NUMBER = r"\d{1,9}(\.\d{1,6})?"
_LONGEST_SECONDS = 10**9

log = logging.getLogger(__name__)


class NovaMetadata:
    """Servers of one project that name the same ``ha_group`` stand in for one another.

    The metadata is the tenant's own, so it speaks for his project only: the group's id is
    ``<ha_group>@<project id>``. It has no constraints: one member may be impacted at once.
    """

    def groups(self, snapshot: CloudSnapshot) -> tuple[FoundGroup, ...]:
        """Return the groups that the metadata names, sorted by id."""
        members: dict[str, list[Server]] = defaultdict(list)
        for server in snapshot.servers:
            name = server.metadata.get(GROUP_KEY, "").strip() if server.metadata else ""
            if name:
                members[f"{name}@{server.project_id}"].append(server)
        return tuple(_found(group_id, servers) for group_id, servers in sorted(members.items()))

    def constraints(self, snapshot: CloudSnapshot) -> Mapping[str, OwnConstraints]:
        """Return what the metadata asks for its server; a word that says nothing is logged and left out."""
        return {
            server.id: OwnConstraints(
                migration_types=_read_methods(server),
                lead_seconds=_read_lead(server),
                max_interruption_seconds=cut_interruption(_read_seconds(server, INTERRUPTION_KEY)),
            )
            for server in snapshot.servers
            if not _KEYS.isdisjoint(server.metadata)
        }


def find_role(server: Server) -> str | None:
    """Return the role that the metadata gives a server; None without one.

    A word that is no role is the tenant's slip: it is logged and counts as none.
    """
    role = server.metadata.get(ROLE_KEY, "").strip()
    if role and role not in ROLES:
        log.warning("server %s (%s): metadata %s is %.40r, no role", server.name, server.id, ROLE_KEY, role)
    return role if role in ROLES else None


def _found(group_id: str, servers: Sequence[Server]) -> FoundGroup:
    """Make one group; it is of mode active-standby when a member says that it is either."""
    roles = {server.id: role for server in servers if (role := find_role(server))}
    mode = PAIRED if {"active", "standby"} & set(roles.values()) else SHARED
    if mode == SHARED:
        roles = dict.fromkeys((server.id for server in servers), "member")
    members = tuple(sorted(server.id for server in servers))
    return FoundGroup(
        origin=f"metadata {GROUP_KEY} of servers",
        group=HaGroup(id=group_id, mode=mode, members=members),
        roles=roles,
    )


def _read_seconds(server: Server, key: str) -> float | None:
    """Read seconds, or a time such as ``90 s``; None when the server says nothing that can be read."""
    text = server.metadata.get(key, "").strip()
    if not text:
        return None
    found = float(text) if re.fullmatch(_NUMBER, text) else read_time(text)
    if isinstance(found, float) and found < _LONGEST_SECONDS:
        return found
    _complain(server, key, text, "no time")
    return None


def _read_lead(server: Server) -> float | None:
    seconds = _read_seconds(server, LEAD_KEY)
    return None if seconds is None else min(seconds, LONGEST_LEAD_SECONDS)


def _read_methods(server: Server) -> tuple[str, ...] | None:
    """Read the methods, the preferred one first; that it wants no migration is a wish of the tenant's."""
    text = server.metadata.get(MIGRATION_KEY, "")
    words = [word.strip() for word in text.split(",") if word.strip()]
    known = tuple(METHODS[word] for word in words if word in METHODS)
    if words and not known and words != [NO_MIGRATION]:
        _complain(server, MIGRATION_KEY, text, "no type of migration")
    return known or None


def _complain(server: Server, key: str, text: str, what: str) -> None:
    log.warning("server %s (%s): metadata %s is %.40r, %s", server.name, server.id, key, text, what)
