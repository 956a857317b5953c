"""The lease on the real Nova."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from escalator.cloud_manager.cloud import Cloud
from escalator.lab.lab import Lab
from escalator.model.cloud import ServiceState, ServiceStatus
from escalator.model.errors import LeaseLostError, NotFoundError
from escalator.model.lease import Lease, LeaseMark

pytestmark = pytest.mark.lab
LEASE = Lease.of(campaign="contract", run_id="r", host="node-01", words="of the contract", max_parallel=1)


def calls(cloud: Cloud, act: Callable[[], Any]) -> int:
    before = cloud.counter.total
    act()
    return cloud.counter.total - before


def test_lease_is_taken_and_given_back_idempotently(empty_lab: Lab, real_cloud: Cloud) -> None:
    assert {s.host for s in real_cloud.fetch_services()} == set(empty_lab.settings.hosts)
    assert calls(real_cloud, lambda: real_cloud.ensure_disabled("node-01", LEASE.render())) == 3
    assert calls(real_cloud, lambda: real_cloud.ensure_disabled("node-01", LEASE.render())) == 1
    service = real_cloud.fetch_service("node-01")
    assert (service.status, service.state, service.lease) == (ServiceStatus.DISABLED, ServiceState.UP, LEASE)
    assert service.updated_at is not None
    assert service.updated_at.tzinfo is not None
    assert calls(real_cloud, lambda: real_cloud.ensure_enabled("node-01", over=(LEASE.render(),))) == 3
    assert calls(real_cloud, lambda: real_cloud.ensure_enabled("node-01", over=(LEASE.render(),))) == 1
    assert real_cloud.fetch_service("node-01").disabled_reason is None


def test_mark_replaces_the_own_lease_and_others_do_not(empty_lab: Lab, real_cloud: Cloud) -> None:
    assert empty_lab.settings.nodes
    real_cloud.ensure_disabled("node-01", LEASE.render())
    failed = LEASE.marked(LeaseMark.FAILED)
    assert real_cloud.ensure_disabled("node-01", failed.render(), over=(LEASE.render(),)).lease == failed
    another = Lease.of(campaign="contract", run_id="other", host="node-01")
    with pytest.raises(LeaseLostError):
        real_cloud.ensure_disabled("node-01", another.render())
    with pytest.raises(LeaseLostError):
        real_cloud.ensure_enabled("node-01", over=(another.render(),))
    assert real_cloud.fetch_service("node-01").lease == failed


def test_the_longest_reason_is_kept_whole(empty_lab: Lab, real_cloud: Cloud) -> None:
    assert empty_lab.settings.nodes
    reason = "x" * 255
    assert real_cloud.ensure_disabled("node-02", reason).disabled_reason == reason


def test_unknown_names_are_not_found(lab: Lab, real_cloud: Cloud) -> None:
    assert lab.settings.nodes
    for ask in (real_cloud.fetch_service, real_cloud.fetch_hypervisor, real_cloud.fetch_servers):
        with pytest.raises(NotFoundError, match="node-77"):
            ask("node-77")
    nobody = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(NotFoundError):
        real_cloud.fetch_inventory(nobody)
    with pytest.raises(NotFoundError) as caught:
        real_cloud.fetch_server(nobody)
    assert str(caught.value.request_id).startswith("req-")


def test_hypervisor_is_found_by_host_in_one_call(lab: Lab, real_cloud: Cloud) -> None:
    assert lab.settings.nodes
    assert calls(real_cloud, lambda: real_cloud.fetch_hypervisor("node-01")) == 1
    hypervisor = real_cloud.fetch_hypervisor("node-01")
    assert (hypervisor.host, hypervisor.state) == ("node-01", ServiceState.UP)
    inventory = real_cloud.fetch_inventory(hypervisor.id)
    assert {"VCPU", "MEMORY_MB", "DISK_GB"} <= inventory.keys()
    assert set(real_cloud.fetch_addresses()) == set(lab.settings.hosts)
    assert real_cloud.fetch_agents("node-01") == ()
