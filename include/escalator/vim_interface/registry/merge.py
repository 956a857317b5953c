"""Puts what the sources find into a snapshot: HA groups, and constraints of single servers. Pure.

The sources have read before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from escalator.model.cloud import CloudSnapshot, Server
from escalator.model.errors import InvalidRequestError
from escalator.vim_interface.registry.found import FoundGroup, HaGroupSource, OwnConstraints

Said = TypeVar("Said", float, tuple[str, ...])


def add_ha_groups_of(snapshot: CloudSnapshot, sources: Sequence[HaGroupSource]) -> CloudSnapshot:
    """Return the snapshot with the HA groups of the sources, the servers with group, role and constraints.

    What the snapshot says already stays. Of two sources that claim a server the first one has it; within one
    source that is an error. Members that the cloud does not have stay members: they count as impacted, and
    the check names them. Each constraint of a server is that of the first source that says it, whatever
    source its group is from. A second run with the same sources changes nothing.

    :param sources: in their order of precedence.
    :raises InvalidRequestError: a source contradicts itself; names every contradiction.
    """
    found: list[FoundGroup] = []
    asked: dict[str, OwnConstraints] = {}
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
        for server_id, own in source.constraints(snapshot).items():
            if own != OwnConstraints():
                asked[server_id] = _prefer(asked.get(server_id), own)
    if not found and not asked:
        return snapshot
    of_server = {member: group for group in found for member in group.group.members}
    return replace(
        snapshot,
        servers=tuple(_joined(s, of_server.get(s.id), asked.get(s.id)) for s in snapshot.servers),
        ha_groups=(*snapshot.ha_groups, *sorted((g.group for g in found), key=lambda group: group.id)),
    )


def _without(found: FoundGroup, claimed: set[str]) -> FoundGroup:
    members = tuple(member for member in found.group.members if member not in claimed)
    if members == found.group.members:
        return found
    return replace(found, group=replace(found.group, members=members))


def _prefer(known: OwnConstraints | None, other: OwnConstraints) -> OwnConstraints:
    """Return constraints with those of another source for what the first one does not say."""
    if known is None:
        return other
    return OwnConstraints(
        migration_types=_first_said(known.migration_types, other.migration_types),
        lead_seconds=_first_said(known.lead_seconds, other.lead_seconds),
        max_interruption_seconds=_first_said(known.max_interruption_seconds, other.max_interruption_seconds),
    )


def _first_said(first: Said | None, second: Said | None) -> Said | None:
    return second if first is None else first


def _joined(server: Server, found: FoundGroup | None, asked: OwnConstraints | None) -> Server:
    """Return a server as its group and its constraints make it; what it says itself stays."""
    if found is not None:
        server = replace(server, ha_group=found.group.id, ha_role=found.roles.get(server.id))
    if asked is None:
        return server
    return replace(
        server,
        migration=_method(server, asked.migration_types),
        lead_seconds=server.lead_seconds or asked.lead_seconds or 0.0,
        max_interruption_seconds=_first_said(server.max_interruption_seconds, asked.max_interruption_seconds),
    )


def _method(server: Server, allowed: tuple[str, ...] | None) -> str:
    """Return the preferred method among those that the server's state allows."""
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
