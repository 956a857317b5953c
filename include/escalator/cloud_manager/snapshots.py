"""Snapshots as documents: ``escalator.snapshot/1``. What is written is read back the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from escalator.cloud_manager.document_reader import Fields, Items
from escalator.model.cloud import (
    CloudSnapshot,
    HaGroup,
    Migration,
    MigrationStatus,
    Node,
    ResourceInventory,
    Server,
    ServerGroup,
    ServiceState,
    ServiceStatus,
)
from escalator.model.errors import InvalidRequestError

SCHEMA = "escalator.snapshot/1"
HA_MODES = ("active-standby", "load-balanced", "none")
HA_ROLES = ("active", "standby", "member")
METHODS = ("live", "cold", "none")

Document = dict[str, Any]


def snapshot_to_document(snapshot: CloudSnapshot) -> Document:
    """Write a snapshot as plain JSON data: sorted as the snapshot is, sets sorted, times in UTC's offset."""
    return {
        "schema": SCHEMA,
        "cloud": snapshot.cloud,
        "taken_at": snapshot.taken_at.isoformat(),
        "nodes": [_node_to_document(node) for node in snapshot.nodes],
        "servers": [_server_to_document(server) for server in snapshot.servers],
        "migrations": [_migration_to_document(migration) for migration in snapshot.migrations],
        "server_groups": [
            {"id": group.id, "policy": group.policy, "members": list(group.members)}
            for group in snapshot.server_groups
        ],
        "ha_groups": [_ha_group_to_document(group) for group in snapshot.ha_groups],
    }


def snapshot_from_document(document: Mapping[str, Any]) -> CloudSnapshot:
    """Read a snapshot; a key that is left out takes its default, one that is not known is refused.

    :raises InvalidRequestError: names every fault with its path, such as ``nodes[3].inventory.VCPU.total``.
    """
    faults: list[str] = []
    fields = Fields(document, "", faults)
    if fields.text("schema") != SCHEMA:
        faults.append(f"schema: must be {SCHEMA}")
    snapshot = CloudSnapshot(
        cloud=fields.text("cloud"),
        taken_at=fields.moment("taken_at"),
        nodes=tuple(sorted(map(_node, fields.items("nodes")), key=lambda node: node.host)),
        servers=tuple(
            sorted(map(_server, fields.items("servers", ())), key=lambda server: (server.name, server.id))
        ),
        migrations=tuple(map(_migration, fields.items("migrations", ()))),
        server_groups=tuple(map(_server_group, fields.items("server_groups", ()))),
        ha_groups=tuple(map(_ha_group, fields.items("ha_groups", ()))),
    )
    fields.end()
    _refuse_doubles("nodes", [node.host for node in snapshot.nodes], faults)
    _refuse_doubles("servers", [server.id for server in snapshot.servers], faults)
    if faults:
        raise InvalidRequestError(
            f"the snapshot has {len(faults)} fault(s): " + "; ".join(faults), remedy=f"see {SCHEMA}"
        )
    return snapshot


def _refuse_doubles(path: str, names: Items, faults: list[str]) -> None:
    doubles = sorted(name for name, times in Counter(names).items() if times > 1)
    faults.extend(f"{path}: {name!r} is there more than once" for name in doubles)


def _node_to_document(node: Node) -> Document:
    return {
        "host": node.host,
        "domain": node.domain,
        "cell": node.cell,
        "zone": node.zone,
        "aggregates": list(node.aggregates),
        "service_id": node.service_id,
        "hypervisor_hostname": node.hypervisor_hostname,
        "provider_id": node.provider_id,
        "state": node.state.value,
        "status": node.status.value,
        "disabled_reason": node.disabled_reason,
        "forced_down": node.forced_down,
        "upgraded": node.upgraded,
        "target": node.target,
        "inventory": {name: _inventory_to_document(item) for name, item in sorted(node.inventory.items())},
        "usage": dict(sorted(node.usage.items())),
        "traits": sorted(node.traits),
        "versions": dict(sorted(node.versions.items())),
    }


def _inventory_to_document(item: ResourceInventory) -> Document:
    document: Document = {
        "total": item.total,
        "reserved": item.reserved,
        "allocation_ratio": item.allocation_ratio,
    }
    return document if item.max_unit is None else document | {"max_unit": item.max_unit}


def _server_to_document(server: Server) -> Document:
    return {
        "id": server.id,
        "name": server.name,
        "project_id": server.project_id,
        "host": server.host,
        "status": server.status,
        "vm_state": server.vm_state,
        "task_state": server.task_state,
        "power_state": server.power_state,
        "locked": server.locked,
        "resources": dict(sorted(server.resources.items())),
        "required_traits": sorted(server.required_traits),
        "pinned_zone": server.pinned_zone,
        "migration": server.migration,
        "server_group": server.server_group,
        "ha_group": server.ha_group,
        "ha_role": server.ha_role,
    }


def _migration_to_document(migration: Migration) -> Document:
    return {
        "id": migration.id,
        "uuid": migration.uuid,
        "server_id": migration.server_id,
        "type": migration.type,
        "status": migration.status.value,
        "source_host": migration.source_host,
        "dest_host": migration.dest_host,
        "created_at": migration.created_at.isoformat(),
        "updated_at": migration.updated_at.isoformat() if migration.updated_at else None,
    }


def _ha_group_to_document(group: HaGroup) -> Document:
    return {
        "id": group.id,
        "mode": group.mode,
        "members": list(group.members),
        "max_impacted": group.max_impacted,
        "min_preserved": group.min_preserved,
        "recovery_seconds": group.recovery_seconds,
        "lead_seconds": group.lead_seconds,
    }


def _node(fields: Fields) -> Node:
    node = Node(
        host=fields.text("host"),
        domain=fields.text("domain"),
        cell=fields.text("cell", "cell1"),
        zone=fields.text("zone", "nova"),
        aggregates=tuple(fields.texts("aggregates", ())),
        service_id=fields.text_or_none("service_id"),
        hypervisor_hostname=fields.text_or_none("hypervisor_hostname"),
        provider_id=fields.text_or_none("provider_id"),
        state=ServiceState(fields.word("state", tuple(ServiceState), "up")),
        status=ServiceStatus(fields.word("status", tuple(ServiceStatus), "enabled")),
        disabled_reason=fields.text_or_none("disabled_reason"),
        forced_down=fields.flag("forced_down"),
        upgraded=fields.flag("upgraded"),
        target=fields.flag("target"),
        inventory={name: _inventory(item) for name, item in fields.mapping("inventory").items()},
        usage=fields.amounts("usage"),
        traits=frozenset(fields.texts("traits", ())),
        versions=fields.words("versions"),
    )
    fields.end()
    return node


def _inventory(fields: Fields) -> ResourceInventory:
    item = ResourceInventory(
        total=fields.amount("total"),
        reserved=fields.amount("reserved", 0),
        allocation_ratio=fields.number("allocation_ratio", 1.0),
        max_unit=fields.amount_or_none("max_unit"),
    )
    fields.end()
    return item


def _server(fields: Fields) -> Server:
    server = Server(
        id=fields.text("id"),
        name=fields.text("name"),
        project_id=fields.text("project_id", ""),
        host=fields.text_or_none("host"),
        status=fields.text("status", ""),
        vm_state=fields.text("vm_state"),
        task_state=fields.text_or_none("task_state"),
        power_state=fields.text("power_state", "running"),
        locked=fields.flag("locked"),
        resources=fields.amounts("resources"),
        required_traits=frozenset(fields.texts("required_traits", ())),
        pinned_zone=fields.text_or_none("pinned_zone"),
        migration=fields.word("migration", METHODS, "live"),
        server_group=fields.text_or_none("server_group"),
        ha_group=fields.text_or_none("ha_group"),
        ha_role=fields.word_or_none("ha_role", HA_ROLES),
    )
    fields.end()
    return server


def _migration(fields: Fields) -> Migration:
    migration = Migration(
        id=fields.amount("id"),
        uuid=fields.text("uuid"),
        server_id=fields.text("server_id"),
        type=fields.text("type"),
        status=MigrationStatus(fields.word("status", tuple(MigrationStatus))),
        source_host=fields.text("source_host"),
        dest_host=fields.text_or_none("dest_host"),
        created_at=fields.moment("created_at"),
        updated_at=fields.moment_or_none("updated_at"),
    )
    fields.end()
    return migration


def _server_group(fields: Fields) -> ServerGroup:
    group = ServerGroup(
        id=fields.text("id"), policy=fields.text("policy"), members=tuple(fields.texts("members", ()))
    )
    fields.end()
    return group


def _ha_group(fields: Fields) -> HaGroup:
    group = HaGroup(
        id=fields.text("id"),
        mode=fields.word("mode", HA_MODES),
        members=tuple(fields.texts("members", ())),
        max_impacted=fields.amount_or_none("max_impacted"),
        min_preserved=fields.amount_or_none("min_preserved"),
        recovery_seconds=fields.number("recovery_seconds", 0.0),
        lead_seconds=fields.number("lead_seconds", 0.0),
    )
    fields.end()
    return group
