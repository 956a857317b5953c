"""HA groups from the metadata of Nova's servers: ``ha_group`` and ``ha_role``."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence

from escalator.model.cloud import CloudSnapshot, HaGroup, Server
from escalator.vim_interface.registry.found import PAIRED, ROLES, SHARED, FoundGroup

GROUP_KEY = "ha_group"
ROLE_KEY = "ha_role"

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
