"""Reads Nova's, Neutron's and Placement's JSON records into the model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from escalator.cloud_manager.server_needs import read_features, read_resources, read_traits
from escalator.model.cloud import (
    ComputeService,
    Hypervisor,
    Migration,
    MigrationStatus,
    NetworkAgent,
    ResourceInventory,
    Server,
    ServerGroup,
    ServiceState,
    ServiceStatus,
)
from escalator.model.errors import ForbiddenError, TransientError

Record = Mapping[str, Any]

UNKNOWN = "UNKNOWN"
"""What Nova says of a service or server when it cannot reach its cell."""
_POWER_STATES = {0: "nostate", 1: "running", 3: "paused", 4: "shutdown", 6: "crashed", 7: "suspended"}
_METHODS = {"active": "live", "paused": "live", "stopped": "cold"}

log = logging.getLogger(__name__)


def parse_time(text: str | None) -> datetime | None:
    """Read a time of OpenStack's, which is UTC with or without a sign of it; None stays None."""
    if text is None:
        return None
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def refuse_partial(record: Record, kind: str) -> None:
    """Refuse a record that Nova could fill in part only, because the cell's database does not answer.

    :raises TransientError: a cell is down: what it holds is not known, so nothing may be concluded.
    """
    if record.get("status") == UNKNOWN:
        name = record.get("host") or record.get("id")
        raise TransientError(
            f"{kind} {name} is UNKNOWN: Nova cannot reach its cell",
            remedy="bring the cell's database back; an outage looks like empty nodes",
        )


def read_service(record: Record) -> ComputeService:
    """Read one record of ``GET /os-services``.

    :raises TransientError: its cell is down.
    """
    refuse_partial(record, "nova-compute service")
    return ComputeService(
        id=str(record["id"]),
        host=record["host"],
        zone=record["zone"],
        state=ServiceState(record["state"]),
        status=ServiceStatus(record["status"]),
        disabled_reason=record.get("disabled_reason"),
        forced_down=bool(record.get("forced_down")),
        updated_at=parse_time(record.get("updated_at")),
    )


def hypervisor_of(record: Record) -> Hypervisor:
    """Read one record of ``GET /os-hypervisors/detail``."""
    version = record.get("hypervisor_version")
    return Hypervisor(
        id=str(record["id"]),
        hostname=record["hypervisor_hostname"],
        host=record["service"]["host"],
        state=ServiceState(record["state"]),
        status=ServiceStatus(record["status"]),
        version=read_dotted(int(version)) if version else None,
        host_ip=record.get("host_ip"),
        type=record.get("hypervisor_type"),
    )


def read_dotted(version: int) -> str:
    """Spell a hypervisor version as people do: 8002001 -> ``8.2.1``."""
    return f"{version // 1_000_000}.{version // 1_000 % 1_000}.{version % 1_000}"


def read_server(record: Record) -> Server:
    """Read one record of ``GET /servers/detail``, which does not tell the server's group.

    :raises TransientError: its cell is down.
    """
    refuse_partial(record, "server")
    flavor, image = record["flavor"], record.get("image") or {}
    specs, properties = flavor.get("extra_specs", {}), image.get("properties", {})
    resources = read_resources(flavor, properties, volume_backed=not image)
    vm_state = record["OS-EXT-STS:vm_state"]
    return Server(
        id=record["id"],
        name=record["name"],
        host=record.get("OS-EXT-SRV-ATTR:host"),
        vm_state=vm_state,
        project_id=record["tenant_id"],
        status=record["status"],
        task_state=record.get("OS-EXT-STS:task_state"),
        power_state=_POWER_STATES.get(record["OS-EXT-STS:power_state"], "nostate"),
        locked=bool(record.get("locked")),
        resources=resources,
        required_traits=read_traits(specs, properties),
        forbidden_traits=read_traits(specs, properties, word="forbidden"),
        features=read_features(specs, properties, resources),
        pinned_zone=record.get("pinned_availability_zone"),
        migration=_METHODS.get(vm_state, "none"),
        metadata=record.get("metadata", {}),
    )


def read_migration(record: Record) -> Migration:
    """Read one record of ``GET /os-migrations``.

    :raises ForbiddenError: it goes on, and Nova does not show this user the hosts of migrations.
    """
    created_at, status = parse_time(record["created_at"]), _migration_status(record)
    if status.unfinished and record["source_compute"] is None:
        raise ForbiddenError(
            "GET compute /os-migrations: the answer does not say from which host servers move",
            remedy="the user needs the admin role, or the policy os_compute_api:os-migrations:index:host",
        )
    return Migration(
        id=int(record["id"]),
        uuid=record["uuid"],
        server_id=record["instance_uuid"],
        type=record["migration_type"],
        status=status,
        source_host=record["source_compute"] or "",
        dest_host=record.get("dest_compute"),
        created_at=created_at or datetime.min.replace(tzinfo=UTC),
        updated_at=parse_time(record.get("updated_at")),
    )


def _migration_status(record: Record) -> MigrationStatus:
    """Read the status; one that is not known counts as under way: unknown is never safe."""
    try:
        return MigrationStatus(record["status"])
    except ValueError:
        log.warning("migration %s has the unknown status %r", record["id"], record["status"])
        return MigrationStatus.RUNNING


def read_agent(record: Record) -> NetworkAgent:
    """Read one record of Neutron's ``GET /agents``."""
    return NetworkAgent(
        id=record["id"],
        binary=record["binary"],
        host=record["host"],
        alive=bool(record["alive"]),
        admin_state_up=bool(record["admin_state_up"]),
    )


def read_inventory_record(record: Record) -> ResourceInventory:
    """Read one resource class of Placement's ``GET /resource_providers/{id}/inventories``."""
    return ResourceInventory(
        total=int(record["total"]),
        reserved=int(record["reserved"]),
        allocation_ratio=float(record["allocation_ratio"]),
        max_unit=int(record["max_unit"]),
    )


def server_group_of(record: Record) -> ServerGroup:
    """Read one record of ``GET /os-server-groups``."""
    most = (record.get("rules") or {}).get("max_server_per_host", 1)
    return ServerGroup(
        id=record["id"],
        policy=record["policy"],
        members=tuple(record["members"]),
        max_server_per_host=int(most),
    )
