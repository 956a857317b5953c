from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from escalator.cloud_manager import records
from escalator.cloud_manager.listing import put_groups
from escalator.model.cloud import MigrationStatus, ServerGroup, ServiceState
from escalator.model.errors import TransientError

# as Nova 34 answered
HYPERVISOR: dict[str, Any] = {
    "id": "fa7c4ce6-5a7e-476d-a904-7ff87f218a86",
    "hypervisor_hostname": "node-02.example",
    "state": "up",
    "status": "enabled",
    "hypervisor_type": "fake",
    "hypervisor_version": 8002001,
    "host_ip": "127.0.0.1",
    "service": {"id": "0b8f2327-5f53-4ee7-b7bc-4725a8567b72", "host": "node-02", "disabled_reason": None},
}
FLAVOR: dict[str, Any] = {
    "vcpus": 2,
    "ram": 2048,
    "disk": 10,
    "ephemeral": 1,
    "swap": 1025,
    "original_name": "m1.small",
    "extra_specs": {},
}
SERVER: dict[str, Any] = {
    "id": "s-1",
    "name": "web-1",
    "tenant_id": "p-1",
    "status": "SHUTOFF",
    "image": {"id": "i-1"},
    "flavor": FLAVOR,
    "locked": True,
    "metadata": {"a": "b"},
    "pinned_availability_zone": "az1",
    "OS-EXT-SRV-ATTR:host": "node-01",
    "OS-EXT-STS:vm_state": "stopped",
    "OS-EXT-STS:task_state": None,
    "OS-EXT-STS:power_state": 4,
}
MIGRATION: dict[str, Any] = {
    "id": 5,
    "uuid": "u-5",
    "instance_uuid": "s-1",
    "migration_type": "live-migration",
    "status": "running",
    "source_compute": "node-01",
    "dest_compute": None,
    "created_at": "2026-11-22T10:00:00.000000",
    "updated_at": "2026-11-22T10:00:05.000000",
}


def test_hypervisor_keeps_its_three_names_apart() -> None:
    hypervisor = records.hypervisor_of(HYPERVISOR)
    assert (hypervisor.host, hypervisor.hostname, hypervisor.id[:4]) == ("node-02", "node-02.example", "fa7c")
    assert (hypervisor.version, hypervisor.state) == ("8.2.1", ServiceState.UP)


def test_server_is_read() -> None:
    (server,) = put_groups([records.read_server(SERVER)], {"s-1": "g-1"})
    assert server.resources == {"VCPU": 2, "MEMORY_MB": 2048, "DISK_GB": 13}
    assert (server.host, server.vm_state, server.power_state, server.migration) == (
        "node-01",
        "stopped",
        "shutdown",
        "cold",
    )
    assert (server.locked, server.pinned_zone, server.server_group) == (True, "az1", "g-1")
    assert server.metadata == {"a": "b"}


@pytest.mark.parametrize(
    ("vm_state", "method"),
    [("active", "live"), ("paused", "live"), ("stopped", "cold"), ("error", "none"), ("suspended", "none")],
)
def test_method_follows_the_state(vm_state: str, method: str) -> None:
    assert records.read_server({**SERVER, "OS-EXT-STS:vm_state": vm_state}).migration == method


def test_root_disk_on_a_volume_takes_nothing_of_the_node() -> None:
    assert records.read_server({**SERVER, "image": ""}).resources["DISK_GB"] == 3


def test_extra_specs_change_what_placement_is_asked_for() -> None:
    specs = {
        "hw:cpu_policy": "dedicated",
        "resources:VGPU": "1",
        "resources:DISK_GB": "0",
        "trait:HW_CPU_X86_AVX2": "required",
        "trait:CUSTOM_SLOW": "forbidden",
    }
    server = records.read_server({**SERVER, "flavor": {**FLAVOR, "extra_specs": specs}})
    assert server.resources == {"PCPU": 2, "MEMORY_MB": 2048, "VGPU": 1}
    assert server.required_traits == {"HW_CPU_X86_AVX2"}


@pytest.mark.parametrize("read", [records.read_service, records.read_server], ids=["service", "server"])
def test_record_of_a_cell_that_is_down_is_refused(read: Any) -> None:
    partial = {"binary": "nova-compute", "host": "node-02", "status": "UNKNOWN"}  # as Nova 34 answered
    with pytest.raises(TransientError, match="node-02 is UNKNOWN"):
        read(partial)


def test_migration_is_read_in_utc() -> None:
    migration = records.read_migration(MIGRATION)
    assert migration.created_at == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert (migration.dest_host, migration.status) == (None, MigrationStatus.RUNNING)


def test_unknown_migration_status_counts_as_under_way() -> None:
    assert records.read_migration({**MIGRATION, "status": "dreaming"}).status.unfinished


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T10:03:16.719451", datetime(2026, 11, 22, 10, 3, 16, 719451, tzinfo=UTC)),
        ("2026-11-22T10:03:16Z", datetime(2026, 11, 22, 10, 3, 16, tzinfo=UTC)),
        (None, None),
    ],
)
def test_moments_are_aware(text: str | None, moment: datetime | None) -> None:
    assert records.parse_time(text) == moment


@pytest.mark.parametrize(("rules", "most"), [({"max_server_per_host": 3}, 3), ({}, 1), (None, 1)])
def test_a_server_group_says_how_many_members_a_node_may_have(rules: object, most: int) -> None:
    record = {"id": "g", "name": "apart", "policy": "anti-affinity", "members": ["s"], "rules": rules}
    assert records.server_group_of(record) == ServerGroup(
        id="g", policy="anti-affinity", members=("s",), max_server_per_host=most
    )
