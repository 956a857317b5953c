"""The canary on the real Nova: it boots on a disabled node, and nobody else does. See docs/adr/0006."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from escalator.cloud_manager.api import ServiceApi, find_api
from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.cloud import Cloud
from escalator.cloud_manager.connection import connect
from escalator.cloud_manager.credentials import CloudCredentials
from escalator.cloud_manager.placement import DISABLED_TRAIT, Placement
from escalator.lab.lab import Lab
from escalator.model.cloud import ServiceStatus
from escalator.model.lease import Lease

pytestmark = pytest.mark.lab
LEASE = Lease.of(campaign="contract", run_id="r", host="node-01")
Eventually = Callable[..., Any]


@pytest.fixture
def connection(lab: Lab) -> Any:
    path = lab.settings.run / "clouds.yaml"
    return connect(CloudCredentials.from_clouds_yaml("lab", path=path), CallCounter())


@pytest.fixture
def placement(connection: Any) -> Placement:
    return Placement(find_api(connection, "placement"))


@pytest.fixture
def compute(connection: Any) -> ServiceApi:
    return find_api(connection, "compute")


@contextmanager
def without_trait(cloud: Cloud, placement: Placement) -> Iterator[None]:
    provider = cloud.fetch_hypervisor("node-01").id
    assert placement.ensure_disabled_trait(provider, present=False)
    yield
    assert DISABLED_TRAIT not in placement.fetch_traits(provider)
    assert placement.ensure_disabled_trait(provider, present=True)
    assert not placement.ensure_disabled_trait(provider, present=True)


def booted(lab: Lab, compute: ServiceApi, eventually: Eventually, **how: Any) -> tuple[str, str | None]:
    """Boot as Nova is asked to, and return how it ended: status and host."""
    image = lab.cloud.get("glance", "/v2/images")["images"][0]["id"]
    flavor = next(f["id"] for f in compute.pages("/flavors/detail", "flavors") if f["name"] == "m1.tiny")
    request = {"name": "plain", "flavorRef": flavor, "imageRef": image, "networks": "none", **how}
    server_id = compute.post("/servers", {"server": request})["server"]["id"]

    def end() -> dict[str, Any] | None:
        server: dict[str, Any] = compute.get(f"/servers/{server_id}")["server"]
        return server if server["status"] != "BUILD" else None

    server = eventually(end)
    return server["status"], server["OS-EXT-SRV-ATTR:host"]


def test_canary_runs_on_a_node_that_stays_disabled(
    empty_lab: Lab, real_cloud: Cloud, placement: Placement, eventually: Eventually
) -> None:
    assert empty_lab.settings.nodes
    provider = real_cloud.fetch_hypervisor("node-01").id
    real_cloud.ensure_disabled("node-01", LEASE.render())
    eventually(lambda: DISABLED_TRAIT in placement.fetch_traits(provider))
    server_id = real_cloud.canaries.boot("node-01", run_tag="a")
    assert real_cloud.fetch_service("node-01").lease == LEASE
    assert DISABLED_TRAIT in placement.fetch_traits(provider)
    real_cloud.canaries.wait(server_id, "node-01", timeout_seconds=120.0)
    assert [s.id for s in real_cloud.fetch_servers("node-01")] == [server_id]
    assert real_cloud.canaries.boot("node-01", run_tag="a") == server_id
    assert real_cloud.delete_canaries("node-01") == 1
    assert real_cloud.delete_canaries("node-01") == 0
    assert real_cloud.fetch_servers("node-01") == ()
    assert real_cloud.fetch_service("node-01").lease == LEASE


def test_canary_runs_on_an_enabled_node_too(empty_lab: Lab, real_cloud: Cloud) -> None:
    assert empty_lab.settings.nodes
    calls = real_cloud.counter.total
    real_cloud.run_canary("node-02", tag="b")
    assert real_cloud.counter.total - calls <= 30
    assert real_cloud.fetch_servers("node-02") == ()
    assert real_cloud.fetch_service("node-02").status is ServiceStatus.ENABLED


def test_a_canary_is_moved_to_a_node_that_stays_disabled_and_back(
    empty_lab: Lab, real_cloud: Cloud, placement: Placement, eventually: Eventually
) -> None:
    assert empty_lab.settings.nodes
    provider = real_cloud.fetch_hypervisor("node-01").id
    real_cloud.ensure_disabled("node-01", LEASE.render())
    eventually(lambda: DISABLED_TRAIT in placement.fetch_traits(provider))
    before = real_cloud.providers.fetch_provider(provider)
    server_id = real_cloud.canaries.boot("node-01", run_tag="m", at="node-02")
    real_cloud.canaries.wait(server_id, "node-02", timeout_seconds=120.0)
    real_cloud.canaries.move(server_id, "node-01", forced=True, timeout_seconds=120.0)
    assert real_cloud.providers.fetch_consumers(provider) == {server_id}
    real_cloud.canaries.move(server_id, "node-02", forced=False, timeout_seconds=120.0)
    assert [s.id for s in real_cloud.fetch_servers("node-02")] == [server_id]
    assert real_cloud.delete_canaries("node-01") == 1
    assert real_cloud.fetch_service("node-01").lease == LEASE
    assert real_cloud.providers.fetch_provider(provider) == before
    eventually(lambda: not real_cloud.providers.fetch_consumers(provider))


def test_nova_refuses_even_a_forced_server_while_the_trait_is_there(
    empty_lab: Lab, real_cloud: Cloud, compute: ServiceApi, placement: Placement, eventually: Eventually
) -> None:
    provider = real_cloud.fetch_hypervisor("node-01").id
    real_cloud.ensure_disabled("node-01", LEASE.render())
    eventually(lambda: DISABLED_TRAIT in placement.fetch_traits(provider))
    for zone in (":node-01", "az1:node-01", "az1:node-01:node-01"):
        assert booted(empty_lab, compute, eventually, availability_zone=zone) == ("ERROR", None)
    assert booted(empty_lab, compute, eventually, host="node-01") == ("ERROR", None)


def test_nobody_else_comes_while_the_trait_is_away(
    empty_lab: Lab, real_cloud: Cloud, compute: ServiceApi, placement: Placement, eventually: Eventually
) -> None:
    for host in empty_lab.settings.hosts:  # no other node to go to
        real_cloud.ensure_disabled(host, Lease.of(campaign="contract", run_id="r", host=host).render())
    provider = real_cloud.fetch_hypervisor("node-01").id
    eventually(lambda: DISABLED_TRAIT in placement.fetch_traits(provider))
    with without_trait(real_cloud, placement):
        assert booted(empty_lab, compute, eventually) == ("ERROR", None)
        assert booted(empty_lab, compute, eventually, host="node-01") == ("ERROR", None)
        assert booted(empty_lab, compute, eventually, availability_zone=":node-01") == ("ACTIVE", "node-01")
