from datetime import UTC, datetime

import pytest

from escalator.model.cloud import (
    CloudSnapshot,
    ComputeService,
    MigrationStatus,
    Node,
    ResourceInventory,
    Server,
    ServiceState,
    ServiceStatus,
)
from escalator.model.lease import Lease

REASON = Lease.of(campaign="c", run_id="r", host="n").render()


@pytest.mark.parametrize(
    ("inventory", "capacity"),
    [
        (ResourceInventory(total=16), 16),
        (ResourceInventory(total=16, reserved=2, allocation_ratio=4.0), 56),
        (ResourceInventory(total=3, allocation_ratio=1.5), 4),
    ],
)
def test_capacity(inventory: ResourceInventory, capacity: int) -> None:
    assert inventory.capacity == capacity


def test_what_is_free_is_never_below_zero() -> None:
    inventory = {"VCPU": ResourceInventory(total=4), "MEMORY_MB": ResourceInventory(total=1024)}
    node = Node(host="n", domain="d", inventory=inventory, usage={"VCPU": 9, "OTHER": 1})
    assert node.free() == {"VCPU": 0, "MEMORY_MB": 1024}


@pytest.mark.parametrize(
    ("state", "status", "forced_down", "eligible"),
    [
        (ServiceState.UP, ServiceStatus.ENABLED, False, True),
        (ServiceState.DOWN, ServiceStatus.ENABLED, False, False),
        (ServiceState.UP, ServiceStatus.DISABLED, False, False),
        (ServiceState.UP, ServiceStatus.ENABLED, True, False),
    ],
)
def test_who_may_take_servers(
    *, state: ServiceState, status: ServiceStatus, forced_down: bool, eligible: bool
) -> None:
    node = Node(host="n", domain="d", state=state, status=status, forced_down=forced_down)
    assert node.eligible_destination is eligible


@pytest.mark.parametrize("status", list(ServiceStatus))
def test_a_lease_counts_only_while_the_service_is_disabled(status: ServiceStatus) -> None:
    node = Node(host="n", domain="d", status=status, disabled_reason=REASON)
    service = ComputeService(
        id="1", host="n", zone="z", state=ServiceState.UP, status=status, disabled_reason=REASON
    )
    leased = status is ServiceStatus.DISABLED
    assert (node.lease is not None) is leased
    assert (service.lease is not None) is leased


def test_migration_statuses() -> None:
    failed = {s for s in MigrationStatus if s.failed}
    assert failed == {MigrationStatus.ERROR, MigrationStatus.FAILED, MigrationStatus.CANCELLED}
    ended = {s for s in MigrationStatus if not s.unfinished}
    assert ended == failed | {
        MigrationStatus.COMPLETED,
        MigrationStatus.CONFIRMED,
        MigrationStatus.REVERTED,
        MigrationStatus.DONE,
    }


def test_looking_things_up() -> None:
    node = Node(host="a", domain="d")
    here = Server(id="1", name="s", host="a", vm_state="active")
    away = Server(id="2", name="t", host="b", vm_state="active")
    snapshot = CloudSnapshot(
        cloud="lab", taken_at=datetime(2026, 1, 1, tzinfo=UTC), nodes=(node,), servers=(here, away)
    )
    assert snapshot.node("a") is node
    assert snapshot.node("b") is None
    assert snapshot.servers_on("a") == (here,)
    assert here.resources == {}
    assert node.usage == {}
