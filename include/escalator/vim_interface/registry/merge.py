"""Puts the HA groups that the sources find into a snapshot. Pure: the sources have read before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from escalator.model.cloud import CloudSnapshot, Server
from escalator.model.errors import InvalidRequestError
from escalator.vim_interface.registry.found import FoundGroup, HaGroupSource


def add_ha_groups_of(snapshot: CloudSnapshot, sources: Sequence[HaGroupSource]) -> CloudSnapshot:
    """Return the snapshot with the HA groups of the sources, and the servers with group and role.

    What the snapshot says already stays. Of two sources that claim a server the first one has it; within one
    source that is an error. Members that the cloud does not have stay members: they count as impacted, and
    the check names them. A second run with the same sources changes nothing.

    :param sources: in their order of precedence.
    :raises InvalidRequestError: a source contradicts itself; names every contradiction.
    """
    found: list[FoundGroup] = []
    ids = {group.id for group in snapshot.ha_groups}
    claimed = {server.id for server in snapshot.servers if server.ha_group is not None}
    claimed.update(member for group in snapshot.ha_groups for member in group.members)
    for source in sources:
        groups = source.groups(snapshot)
        _refuse_contradictions(groups)
        left = [_without(group, claimed) for group in groups if group.group.id not in ids]
        found += [group for group in left if group.group.members]
        ids.update(group.group.id for group in groups)
        claimed.update(member for group in left for member in group.group.members)
    if not found:
        return snapshot
    of_server = {member: group for group in found for member in group.group.members}
    return replace(
        snapshot,
        servers=tuple(_joined(server, of_server.get(server.id)) for server in snapshot.servers),
        ha_groups=(*snapshot.ha_groups, *sorted((g.group for g in found), key=lambda group: group.id)),
    )


def _without(found: FoundGroup, claimed: set[str]) -> FoundGroup:
    members = tuple(member for member in found.group.members if member not in claimed)
    if members == found.group.members:
        return found
    return replace(found, group=replace(found.group, members=members))


def _joined(server: Server, found: FoundGroup | None) -> Server:
    if found is None:
        return server
    return replace(
        server,
        ha_group=found.group.id,
        ha_role=found.roles.get(server.id),
        migration=_method(server, found.migration_types_of.get(server.id, found.migration_types)),
    )


def _method(server: Server, allowed: tuple[str, ...] | None) -> str:
    """Return the method that the group prefers among those that the server's state allows."""
    if allowed is None or server.migration == "none":
        return server.migration
    possible = {"live", "cold"} if server.vm_state == "active" else {server.migration}
    return next((method for method in allowed if method in possible), "none")


def _refuse_contradictions(groups: Sequence[FoundGroup]) -> None:
    faults: list[str] = []
    ids: dict[str, FoundGroup] = {}
    owners: dict[str, FoundGroup] = {}
    for found in groups:
        other = ids.setdefault(found.group.id, found)
        if other is not found:
            faults.append(f"{found.origin}: the group {found.group.id!r} is declared at {other.origin} too")
        for member in found.group.members:
            other = owners.setdefault(member, found)
            if other is not found:
                faults.append(
                    f"{found.origin}: {member} is a member of {other.group.id!r} ({other.origin}) too"
                )
    if faults:
        raise InvalidRequestError(
            f"the HA groups have {len(faults)} conflict(s): " + "; ".join(faults),
            remedy="let every server be in one group, and every group in one file",
        )
