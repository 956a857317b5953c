"""A cloud of four nodes without servers, as its services answer: their records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from escalator.model.cloud import CloudSnapshot

HOSTS = ("node-01", "node-02", "node-03", "node-04")
CANDIDATES = "/placement/allocation_candidates"
MIGRATIONS = "/compute/v2.1/os-migrations"
Read = Callable[..., CloudSnapshot]
"""Reads a snapshot of the cloud of a test."""


def service(host: str, **changes: Any) -> dict[str, Any]:
    plain = {
        "binary": "nova-compute",
        "host": host,
        "id": f"svc-{host}",
        "zone": "az1",
        "status": "enabled",
        "state": "up",
        "updated_at": "2026-11-22T10:03:16.719451",
        "disabled_reason": None,
        "forced_down": False,
    }
    return plain | changes


def migration(number: int, status: str = "completed") -> dict[str, Any]:
    return {
        "id": number,
        "uuid": f"u-{number}",
        "instance_uuid": "s-1",
        "migration_type": "live-migration",
        "status": status,
        "source_compute": "node-01",
        "dest_compute": "node-02",
        "created_at": "2026-11-22T10:00:00.000000",
        "updated_at": None,
    }


def inventories(ratio: float = 4.0) -> dict[str, Any]:
    plain = {"reserved": 0, "min_unit": 1, "step_size": 1}
    return {
        "inventories": {
            "VCPU": {**plain, "total": 16, "max_unit": 16, "allocation_ratio": ratio},
            "MEMORY_MB": {**plain, "total": 4096, "reserved": 96, "max_unit": 4096, "allocation_ratio": 1.0},
        }
    }


def summaries(hosts: tuple[str, ...], vcpus: int = 64) -> dict[str, Any]:
    return {
        "allocation_requests": [],
        "provider_summaries": {
            f"rp-{host}": {
                "resources": {
                    "VCPU": {"capacity": vcpus, "used": 3},
                    "MEMORY_MB": {"capacity": 4000, "used": 512},
                },
                "traits": ["COMPUTE_NODE"],
                "parent_provider_uuid": None,
                "root_provider_uuid": f"rp-{host}",
            }
            for host in hosts
        },
    }


def server(number: int) -> dict[str, Any]:
    return {
        "id": f"s-{number:04d}",
        "name": "web",
        "tenant_id": "p",
        "status": "ACTIVE",
        "OS-EXT-SRV-ATTR:host": HOSTS[number % 4],
        "OS-EXT-STS:vm_state": "active",
        "OS-EXT-STS:power_state": 1,
        "flavor": {"vcpus": 1, "ram": 512, "disk": 1, "extra_specs": {}},
        "image": {"id": "i"},
        "metadata": {"ha_group": "web"},
    }
