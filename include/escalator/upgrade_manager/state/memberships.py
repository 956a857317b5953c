"""Groups: which servers stand in for one another, and which must, or must not, be on one node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from escalator.model.cloud import CloudSnapshot, HaGroup, Server, ServerGroup

ACTIVE_STANDBY = "active-standby"
SWITCHABLE = frozenset({ACTIVE_STANDBY, "load-balanced"})
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
    :ivar grouped_servers: the servers that are in a server group.
    :ivar servers_on: host -> the servers there.
    :ivar hosts: the nodes of the snapshot; a server may be on another one.
    :ivar own_leads: the lead times that servers have of their own (s).
    """

    def __init__(self, snapshot: CloudSnapshot) -> None:
        self.ha_group_of = _owners(snapshot.ha_groups)
        self.server_group_of = _owners(snapshot.server_groups)
        on: dict[str | None, list[Server]] = defaultdict(list)
        naming_ha: list[Server] = []
        naming: list[Server] = []
        self.own_leads: set[float] = set()
        for server in snapshot.servers:
            on[server.host].append(server)
            if server.lead_seconds:
                self.own_leads.add(server.lead_seconds)
            if server.ha_group is not None:
                naming_ha.append(server)
            if server.server_group is not None:
                naming.append(server)
        self.servers_on: Mapping[str | None, Sequence[Server]] = dict(on)
        self.hosts = frozenset(node.host for node in snapshot.nodes)
        unowned_ha = [server for server in naming_ha if server.id not in self.ha_group_of]
        unowned = [server for server in naming if server.id not in self.server_group_of]
        self.ha_servers = _members(snapshot, self.ha_group_of, naming_ha, unowned_ha)
        self.grouped_servers = _members(snapshot, self.server_group_of, naming, unowned)
        named: dict[str, list[Server]] = {}
        for server in unowned_ha:
            named.setdefault(server.ha_group or "", []).append(server)
        grouped: dict[str, list[str]] = {}
        for server in unowned:
            grouped.setdefault(server.server_group or "", []).append(server.id)
        self.ha_group_of |= {s.id: group for group, servers in named.items() for s in servers}
        self.server_group_of |= {member: group for group, ids in grouped.items() for member in ids}
        self.ha_groups = {group.id: group for group in snapshot.ha_groups}
        for group_id, servers in named.items():
            self.ha_groups[group_id] = _with_members(self.ha_groups.get(group_id), group_id, servers)
        self.server_groups = {group.id: group for group in snapshot.server_groups}
        for group_id, ids in grouped.items():
            group = self.server_groups.get(group_id, ServerGroup(id=group_id, policy=""))
            self.server_groups[group_id] = replace(
                group, members=tuple(dict.fromkeys((*group.members, *ids)))
            )

    def is_switchable(self, server_id: str) -> bool:
        """Tell whether other members of a server's HA group can take over its service."""
        group = self.ha_groups.get(self.ha_group_of.get(server_id, ""))
        return group is not None and group.mode in SWITCHABLE and len(group.members) >= _PAIR

    def policy(self, server_id: str) -> str:
        """Return the policy of a server's server group; empty without one."""
        group = self.server_groups.get(self.server_group_of.get(server_id, ""))
        return group.policy if group else ""

    def count_allowed(self, server_id: str) -> int:
        """Return how many members of a server's anti-affinity group may be on one node."""
        group = self.server_groups.get(self.server_group_of.get(server_id, ""))
        return group.max_server_per_host if group else 1


def find_interruption_limits(memberships: Memberships) -> dict[str, float]:
    """Return what each HA group bears at once (s): the least that a member bears; else it is not in it."""
    found: dict[str, float] = {}
    for server in memberships.ha_servers:
        if server.max_interruption_seconds is not None:
            group = memberships.ha_group_of[server.id]
            least = min(server.max_interruption_seconds, found.get(group, server.max_interruption_seconds))
            found[group] = least
    return found


def _owners(groups: tuple[HaGroup, ...] | tuple[ServerGroup, ...]) -> dict[str, str]:
    return {member: group.id for group in groups for member in group.members}


def _members(
    snapshot: CloudSnapshot, owners: Mapping[str, str], naming: Sequence[Server], unowned: Sequence[Server]
) -> Sequence[Server]:
    """Return the servers that are in a group, in their order.

    :param owners: the members that groups name -> their group.
    :param naming: the servers that name a group.
    :param unowned: those of them that no group names.
    """
    if len(naming) - len(unowned) == len(owners):  # all members name their group: it is these
        return naming
    ids = owners.keys() | {server.id for server in unowned}
    return [server for server in snapshot.servers if server.id in ids]


def _with_members(group: HaGroup | None, group_id: str, servers: list[Server]) -> HaGroup:
    roles = {server.ha_role for server in servers}
    mode = "active-standby" if roles & {"active", "standby"} else "load-balanced"
    known = group or HaGroup(id=group_id, mode=mode)
    members = tuple(dict.fromkeys((*known.members, *sorted(server.id for server in servers))))
    return known if members == known.members else replace(known, members=members)
