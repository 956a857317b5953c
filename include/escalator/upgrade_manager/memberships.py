"""Groups: which servers stand in for one another, and which must, or must not, be on one node."""

from __future__ import annotations

from dataclasses import replace

from escalator.model.cloud import CloudSnapshot, HaGroup, Server, ServerGroup

SWITCHABLE = frozenset({"active-standby", "load-balanced"})
"""Modes of HA groups whose service can be taken away from a member."""
ANTI_AFFINITY, AFFINITY = "anti-affinity", "affinity"
SOFT_ANTI_AFFINITY = "soft-anti-affinity"
_PAIR = 2


class Memberships:
    """Who belongs to which group, read once from a snapshot.

    A server names its groups, or a group names its members: either is enough. HA groups that only servers
    name have the documented defaults, and the mode that the roles of their members tell.

    :ivar ha_groups: id -> group, with all its members.
    :ivar ha_group_of: server id -> id of its HA group.
    :ivar ha_servers: the servers that are in an HA group.
    :ivar server_groups: id -> server group, with all its members.
    :ivar server_group_of: server id -> id of its server group.
    """

    def __init__(self, snapshot: CloudSnapshot) -> None:
        self.ha_group_of = _owners(snapshot.ha_groups)
        self.server_group_of = _owners(snapshot.server_groups)
        self.ha_servers: list[Server] = []
        named: dict[str, list[Server]] = {}
        grouped: dict[str, list[str]] = {}
        owned, members = self.ha_group_of, self.ha_servers
        for server in snapshot.servers:
            ha_group, server_group = server.ha_group, server.server_group
            if server.id in owned:
                members.append(server)
            elif ha_group is not None:
                members.append(server)
                named.setdefault(ha_group, []).append(server)
            if server_group is not None and server.id not in self.server_group_of:
                grouped.setdefault(server_group, []).append(server.id)
        self.ha_group_of |= {s.id: group for group, servers in named.items() for s in servers}
        self.server_group_of |= {member: group for group, ids in grouped.items() for member in ids}
        self.ha_groups = {group.id: group for group in snapshot.ha_groups}
        for group_id, servers in named.items():
            self.ha_groups[group_id] = _with_members(self.ha_groups.get(group_id), group_id, servers)
        able = (g for g in self.ha_groups.values() if g.mode in SWITCHABLE and len(g.members) >= _PAIR)
        self._switchable = {member for group in able for member in group.members}
        self.server_groups = {group.id: group for group in snapshot.server_groups}
        for group_id, ids in grouped.items():
            group = self.server_groups.get(group_id, ServerGroup(id=group_id, policy=""))
            self.server_groups[group_id] = replace(
                group, members=tuple(dict.fromkeys((*group.members, *ids)))
            )

    def switchable(self, server_id: str) -> bool:
        """Tell whether other members of a server's HA group can take over its service."""
        return server_id in self._switchable

    def policy(self, server_id: str) -> str:
        """Return the policy of a server's server group; empty without one."""
        group = self.server_groups.get(self.server_group_of.get(server_id, ""))
        return group.policy if group else ""


def _owners(groups: tuple[HaGroup, ...] | tuple[ServerGroup, ...]) -> dict[str, str]:
    return {member: group.id for group in groups for member in group.members}


def _with_members(group: HaGroup | None, group_id: str, servers: list[Server]) -> HaGroup:
    roles = {server.ha_role for server in servers}
    mode = "active-standby" if roles & {"active", "standby"} else "load-balanced"
    known = group or HaGroup(id=group_id, mode=mode)
    members = tuple(dict.fromkeys((*known.members, *sorted(server.id for server in servers))))
    return known if members == known.members else replace(known, members=members)
