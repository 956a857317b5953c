"""HA groups that the managers of VNFs put over the VIM interface: constraints of instances and of groups."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from escalator.ledger.database import Database, ledger_url, parse_url
from escalator.ledger.ledger import Ledger
from escalator.model.cloud import CloudSnapshot, Server
from escalator.model.constraints import EVERY_OTHER_SIZE, GroupConstraints, InstanceConstraints
from escalator.model.notice import InstanceAction
from escalator.vim_interface.registry.declared import BySize, DeclaredGroup
from escalator.vim_interface.registry.found import (
    LONGEST_LEAD_SECONDS,
    PAIRED,
    SHARED,
    FoundGroup,
    OwnConstraints,
    cut_interruption,
)
from escalator.vim_interface.registry.nova_metadata import find_role

_METHODS: Mapping[str, tuple[str, ...] | None] = {
    InstanceAction.MIGRATE: None,  # the administrator chooses
    InstanceAction.LIVE_MIGRATE: ("live",),
    InstanceAction.OWN_ACTION: (),
}
"""What a manager wants done -> the methods that may move the server; None: no restriction.

That it wants to act itself is a wish, no restriction: when it is silent, its policy on silence counts.
"""

log = logging.getLogger(__name__)


class Constraints(Protocol):
    """What is read of the ledger's constraints."""

    def instances(self, cloud: str) -> tuple[InstanceConstraints, ...]:
        """Return those of all instances of a cloud."""

    def groups(self, cloud: str) -> tuple[GroupConstraints, ...]:
        """Return those of all groups of a cloud."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedConstraints:
    """The constraints of one cloud, as they were when they were read.

    A project speaks for its own servers only: a member that the cloud has in another project is left out.
    An instance without a group has no HA group, but its own constraints; one whose group was not put counts
    with the strictest limit.
    """

    of_instances: tuple[InstanceConstraints, ...]
    of_groups: tuple[GroupConstraints, ...]

    def groups(self, snapshot: CloudSnapshot) -> tuple[FoundGroup, ...]:
        """Return the groups as they are in this cloud, sorted by id."""
        servers = {server.id: server for server in snapshot.servers}
        known = {(group.project_id, group.group_id): group for group in self.of_groups}
        members: dict[tuple[str, str], list[InstanceConstraints]] = defaultdict(list)
        for instance in self.of_instances:
            if instance.group_id is not None and _is_its_own(instance, servers.get(instance.instance_id)):
                members[instance.project_id, instance.group_id].append(instance)
        owners = {group.group_id: group.project_id for group in self.of_groups}
        for project_id, group_id in sorted(members):
            owners.setdefault(group_id, project_id)
        found = [
            _found(
                group_id if owners[group_id] == project_id else f"{group_id}@{project_id}",
                known.get((project_id, group_id)),
                sorted(instances, key=lambda instance: instance.instance_id),
                servers,
            )
            for (project_id, group_id), instances in members.items()
        ]
        return tuple(sorted(found, key=lambda each: each.group.id))

    def constraints(self, snapshot: CloudSnapshot) -> Mapping[str, OwnConstraints]:
        """Return what is asked for each instance that the cloud has, in a group or not."""
        servers = {server.id: server for server in snapshot.servers}
        return {
            instance.instance_id: OwnConstraints(
                migration_types=_methods_of(instance),
                lead_seconds=_lead_of(instance) or None,
                max_interruption_seconds=cut_interruption(instance.max_interruption_seconds),
            )
            for instance in self.of_instances
            if instance.instance_id in servers and _is_its_own(instance, servers[instance.instance_id])
        }


def read_pushed_constraints(book: Constraints, cloud: str) -> PushedConstraints:
    """Read the constraints of a cloud from the ledger."""
    return PushedConstraints(of_instances=book.instances(cloud), of_groups=book.groups(cloud))


def find_pushed_constraints(cloud: str) -> PushedConstraints | None:
    """Read the constraints of a cloud from the ledger, where there is one: a command may run anywhere.

    :return: None without a ledger.
    :raises EscalatorError: there is one, and it cannot be read: without it more members would go than may.
    """
    if Database(parse_url(ledger_url())).revision() is None:
        return None
    return read_pushed_constraints(Ledger().constraints(), cloud)


def _is_its_own(instance: InstanceConstraints, server: Server | None) -> bool:
    if server is None or server.project_id == instance.project_id:
        return True
    log.warning(
        "server %s (%s): constraints of project %s do not count, it belongs to project %s",
        server.name,
        server.id,
        instance.project_id,
        server.project_id,
    )
    return False


def _found(
    group_id: str,
    group: GroupConstraints | None,
    instances: Sequence[InstanceConstraints],
    servers: Mapping[str, Server],
) -> FoundGroup:
    members = tuple(instance.instance_id for instance in instances)
    there = [servers[member] for member in members if member in servers]
    roles = {server.id: role for server in there if (role := find_role(server))}
    mode = PAIRED if {"active", "standby"} & set(roles.values()) else SHARED
    if mode == SHARED:
        roles = dict.fromkeys((server.id for server in there), "member")
    declared = DeclaredGroup(
        origin=f"constraints of group {group_id}, put over the VIM interface",
        id=group_id,
        mode=mode,
        project_id=instances[0].project_id,
        members=(),
        max_impacted=_by_size(group.max_impacted) if group else None,
        min_preserved=_by_size(group.min_preserved) if group else None,
        recovery_seconds=group.recovery_seconds if group else 0.0,
        lead_seconds=max(map(_lead_of, instances)),
    )
    return FoundGroup(
        origin=declared.origin,
        group=declared.group_of(members),
        roles=roles,
    )


def _lead_of(instance: InstanceConstraints) -> float:
    return min(instance.lead_seconds, LONGEST_LEAD_SECONDS)


def _by_size(limits: Mapping[int, int]) -> BySize | None:
    exact = {size: limit for size, limit in limits.items() if size != EVERY_OTHER_SIZE}
    return BySize(exact, limits.get(EVERY_OTHER_SIZE)) if limits else None


def _methods_of(instance: InstanceConstraints) -> tuple[str, ...] | None:
    """Return the methods that may move a server, the preferred one first; None: no restriction."""
    allowed: list[str] = []
    for word in instance.migration_types:
        methods = _METHODS.get(word, ())
        if methods is None:
            return None
        allowed += methods
    return tuple(dict.fromkeys(allowed)) or None
