"""The items of a snapshot as JSON data: one function for each kind."""

from __future__ import annotations

from typing import Any

from escalator.model.cloud import (
    HaGroup,
    Migration,
    NetworkAgent,
    Node,
    ResourceInventory,
    Server,
    ServerGroup,
)
from escalator.model.control_plane import ControlPlane
from escalator.model.unread import Unread

Document = dict[str, Any]


def write_control_plane(control: ControlPlane) -> Document:
    """Write what is known of the control plane."""
    return {
        "lowest": control.lowest,
        "highest": control.highest,
        "apart": [list(hosts) for hosts in control.apart],
    }


def write_unread(unread: Unread) -> Document:
    """Write which list the cloud does not let us read, or shows in part."""
    document: Document = {"part": str(unread.part), "message": unread.message}
    return document | {"partly": True} if unread.partly else document


def write_node(node: Node) -> Document:
    """Write a node: all keys, its hypervisor's type when it is known; sets sorted."""
    document: Document = {
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
        "inventory": {name: inventory_to_document(item) for name, item in sorted(node.inventory.items())},
        "usage": dict(sorted(node.usage.items())),
        "traits": sorted(node.traits),
        "versions": dict(sorted(node.versions.items())),
    }
    return document if node.hypervisor_type is None else document | {"hypervisor_type": node.hypervisor_type}


def inventory_to_document(item: ResourceInventory) -> Document:
    """Write what a node has of one resource class."""
    document: Document = {
        "total": item.total,
        "reserved": item.reserved,
        "allocation_ratio": float(item.allocation_ratio),
    }
    return document if item.max_unit is None else document | {"max_unit": item.max_unit}


def write_server(server: Server) -> Document:
    """Write a server: all keys, limits and features when it has some; its metadata is left out."""
    document: Document = {
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
    if server.forbidden_traits:
        document["forbidden_traits"] = sorted(server.forbidden_traits)
    if server.features:
        document["features"] = sorted(server.features)
    if server.lead_seconds:
        document["lead_seconds"] = float(server.lead_seconds)
    if server.max_interruption_seconds is not None:
        document["max_interruption_seconds"] = float(server.max_interruption_seconds)
    return document


def write_migration(migration: Migration) -> Document:
    """Write a migration."""
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


def write_server_group(group: ServerGroup) -> Document:
    """Write a server group, with its rules when it has any, as Nova does."""
    document: Document = {"id": group.id, "policy": group.policy, "members": list(group.members)}
    if group.max_server_per_host == 1:
        return document
    return document | {"rules": {"max_server_per_host": group.max_server_per_host}}


def write_agent(agent: NetworkAgent) -> Document:
    """Write one of Neutron's agents."""
    return {
        "id": agent.id,
        "binary": agent.binary,
        "host": agent.host,
        "alive": agent.alive,
        "admin_state_up": agent.admin_state_up,
    }


def write_ha_group(group: HaGroup) -> Document:
    """Write an HA group."""
    return {
        "id": group.id,
        "mode": group.mode,
        "members": list(group.members),
        "max_impacted": group.max_impacted,
        "min_preserved": group.min_preserved,
        "recovery_seconds": float(group.recovery_seconds),
        "lead_seconds": float(group.lead_seconds),
    }
