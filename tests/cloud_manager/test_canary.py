from __future__ import annotations

from typing import Any

import pytest

from escalator.cloud_manager.canary import make_canary_name
from escalator.cloud_manager.canary_choice import fits
from escalator.cloud_manager.cloud import Cloud
from escalator.model.canary import CanaryWish
from escalator.model.errors import InvalidRequestError, NodeFaultError

TRAITS = "/placement/resource_providers/rp-1/traits"
SERVERS = "/compute/v2.1/servers"
DETAIL = f"{SERVERS}/detail"
ONE = f"{SERVERS}/s-1"
DISABLED = "COMPUTE_STATUS_DISABLED"


def server(
    status: str = "ACTIVE", host: str | None = "node-01", name: str = "escalator-canary-node-01-t"
) -> dict[str, Any]:
    return {
        "id": "s-1",
        "name": name,
        "status": status,
        "OS-EXT-SRV-ATTR:host": host,
        "metadata": {"escalator_canary": "node-01"},
        "fault": {"message": "No valid host was found."} if status == "ERROR" else None,
    }


def flavor(name: str, ram: int, specs: dict[str, str] | None = None) -> dict[str, Any]:
    return {"id": name, "name": name, "ram": ram, "vcpus": 1, "disk": 1, "extra_specs": specs or {}}


@pytest.fixture
def nova(fake: Any) -> Any:
    """A node that is disabled, without canaries."""
    hypervisor = {
        "id": "rp-1",
        "hypervisor_hostname": "node-01",
        "state": "up",
        "status": "disabled",
        "service": {"id": "x", "host": "node-01", "disabled_reason": "r"},
    }
    fake.tell("GET", "/compute/v2.1/os-hypervisors/detail", {"hypervisors": [hypervisor]})
    told_of(fake, "disabled")
    flavors = [flavor("large", 8192), flavor("odd", 128, {"hw:mem_page_size": "large"}), flavor("tiny", 512)]
    fake.tell("GET", "/compute/v2.1/flavors/detail", {"flavors": flavors})
    images = [{"id": "i-0", "size": 0}, {"id": "i-1", "size": 4096, "min_ram": 0, "min_disk": 0}]
    fake.tell("GET", "/image/v2/images", {"images": images})
    fake.tell("GET", DETAIL, {"servers": []})
    fake.tell("GET", TRAITS, traits(DISABLED), traits())
    fake.tell("PUT", TRAITS, {})
    fake.tell("POST", SERVERS, (202, {"server": {"id": "s-1"}}))
    fake.tell(
        "GET", ONE, {"server": server("BUILD", None)}, {"server": server("BUILD")}, {"server": server()}
    )
    fake.tell("POST", f"{ONE}/action", (202, b""))
    return fake


def traits(*extra: str) -> dict[str, Any]:
    return {"traits": ["COMPUTE_NODE", *extra], "resource_provider_generation": 7}


def told_of(fake: Any, status: str) -> None:
    record = {
        "host": "node-01",
        "id": "svc",
        "zone": "az1",
        "state": "up",
        "status": status,
        "binary": "nova-compute",
    }
    fake.tell("GET", "/compute/v2.1/os-services", {"services": [record]})


def test_trait_is_away_only_while_the_canary_is_placed(nova: Any, cloud: Cloud) -> None:
    assert cloud.canaries.boot("node-01", run_tag="t") == "s-1"
    writes = [
        (a.method, a.path, a.body)
        for a in nova.asked
        if a.method in {"PUT", "POST"} and "tokens" not in a.path
    ]
    assert [path for _, path, _ in writes] == [TRAITS, SERVERS, TRAITS]
    assert writes[0][2] == {"traits": ["COMPUTE_NODE"], "resource_provider_generation": 7}
    assert writes[2][2] == {"traits": ["COMPUTE_NODE", DISABLED], "resource_provider_generation": 7}


def test_canary_is_small_forced_and_without_network(nova: Any, cloud: Cloud) -> None:
    cloud.canaries.boot("node-01", run_tag="t")
    assert nova.requests_of("POST", SERVERS)[0].body["server"] == {
        "name": "escalator-canary-node-01-t",
        "flavorRef": "tiny",
        "imageRef": "i-1",
        "networks": "none",
        "availability_zone": ":node-01",
        "metadata": {"escalator_canary": "node-01"},
    }


def test_service_is_never_enabled_for_it(nova: Any, cloud: Cloud) -> None:
    cloud.run_canary("node-01", tag="t")
    assert not [asked for asked in nova.asked if asked.method == "PUT" and "os-services" in asked.path]


def test_node_that_was_enabled_meanwhile_does_not_get_the_trait(nova: Any, cloud: Cloud) -> None:
    told_of(nova, "enabled")
    cloud.canaries.boot("node-01", run_tag="t")
    assert [DISABLED in asked.body["traits"] for asked in nova.requests_of("PUT", TRAITS)] == [False]


def test_trait_comes_back_when_the_boot_is_refused(nova: Any, cloud: Cloud) -> None:
    nova.tell("POST", SERVERS, (403, {"forbidden": {"message": "quota"}}))
    with pytest.raises(InvalidRequestError, match="quota"):
        cloud.canaries.boot("node-01", run_tag="t")
    assert DISABLED in nova.requests_of("PUT", TRAITS)[-1].body["traits"]


def test_trait_that_somebody_writes_at_once_is_written_again(nova: Any, cloud: Cloud) -> None:
    conflict = (409, {"errors": [{"detail": "generation"}]})
    nova.tell("PUT", TRAITS, conflict, {}, {})
    nova.tell("GET", TRAITS, traits(DISABLED), traits(DISABLED), traits())
    assert cloud.canaries.boot("node-01", run_tag="t") == "s-1"
    assert len(nova.requests_of("PUT", TRAITS)) == 3


def test_canary_that_finds_no_host_is_tried_once_more(nova: Any, cloud: Cloud) -> None:
    nova.tell("GET", ONE, {"server": server("ERROR", None)}, {"server": server()})
    nova.tell("GET", DETAIL, {"servers": []}, {"servers": [server("ERROR", None)]}, {"servers": []})
    nova.tell("GET", TRAITS, traits(DISABLED), traits(), traits(DISABLED), traits())
    assert cloud.canaries.boot("node-01", run_tag="t") == "s-1"
    assert len(nova.requests_of("POST", f"{ONE}/action")) == 1


def test_second_failure_is_the_nodes_fault(nova: Any, cloud: Cloud) -> None:
    nova.tell("GET", ONE, {"server": server("ERROR", None)})
    with pytest.raises(NodeFaultError, match="No valid host was found"):
        cloud.run_canary("node-01", tag="t")
    assert len(nova.requests_of("POST", SERVERS)) == 2


def test_second_run_takes_the_canary_that_is_there(nova: Any, cloud: Cloud) -> None:
    nova.tell("GET", DETAIL, {"servers": [server("BUILD")]})
    assert cloud.canaries.boot("node-01", run_tag="t") == "s-1"
    assert nova.requests_of("POST", SERVERS) == []
    assert nova.requests_of("PUT", TRAITS) == []


def test_only_our_own_canaries_are_deleted(nova: Any, cloud: Cloud) -> None:
    tenants = {**server(), "id": "s-2", "metadata": {}}
    nova.tell("GET", DETAIL, {"servers": [tenants, server()]}, {"servers": [tenants]})
    assert cloud.delete_canaries("node-01") == 1
    assert nova.requests_of("POST", f"{SERVERS}/s-2/action") == []
    assert nova.requests_of("POST", f"{ONE}/action")[0].body == {"forceDelete": None}
    assert all("all_tenants" not in asked.query for asked in nova.requests_of("GET", DETAIL))


def test_canary_elsewhere_is_a_fault(nova: Any, cloud: Cloud) -> None:
    nova.tell("GET", ONE, {"server": server(host="node-02")})
    with pytest.raises(NodeFaultError, match="node-02"):
        cloud.canaries.wait("s-1", "node-01", timeout_seconds=120.0)


def test_canary_that_takes_too_long_is_a_fault(nova: Any, cloud: Cloud) -> None:
    nova.tell("GET", ONE, {"server": server("BUILD")})
    with pytest.raises(NodeFaultError, match="BUILD after 0 s"):
        cloud.canaries.wait("s-1", "node-01", timeout_seconds=0.0)


def test_without_a_plain_flavor_the_operator_is_asked_for_one(nova: Any, cloud: Cloud) -> None:
    nova.tell("GET", "/compute/v2.1/flavors/detail", {"flavors": [flavor("odd", 128, {"a": "b"})]})
    with pytest.raises(InvalidRequestError, match="flavor"):
        cloud.canaries.boot("node-01", run_tag="t")
    assert nova.requests_of("PUT", TRAITS) == []


@pytest.mark.parametrize(
    ("image", "good"),
    [
        ({"size": 4096}, True),
        ({"size": 4096, "min_ram": 1024}, False),
        ({"size": 4096, "min_disk": 2}, False),
        ({"size": 2 * 1024**3}, False),
        ({"size": None}, False),
    ],
)
def test_image_must_fit_the_flavor(image: dict[str, Any], good: object) -> None:
    assert fits(image, flavor("tiny", 512)) is good


def test_name_is_no_longer_than_nova_allows() -> None:
    assert len(make_canary_name("n" * 250, "tag")) == 255


MIGRATIONS = "/compute/v2.1/os-migrations"


def migration(status: str, number: int = 1) -> dict[str, Any]:
    return {
        "id": number,
        "uuid": f"m-{number}",
        "instance_uuid": "s-1",
        "migration_type": "live-migration",
        "status": status,
        "source_compute": "node-02",
        "dest_compute": "node-01",
        "created_at": "2026-11-22T08:00:00",
        "updated_at": None,
    }


def moving(host: str, task: str | None) -> dict[str, Any]:
    return {"server": {**server(host=host), "OS-EXT-STS:task_state": task}}


def test_a_canary_boots_on_another_node_and_is_found_as_the_proved_ones(nova: Any, cloud: Cloud) -> None:
    told_of(nova, "enabled")
    assert cloud.canaries.boot("node-01", run_tag="t", at="node-01") == "s-1"
    asked = nova.requests_of("POST", SERVERS)[0].body["server"]
    assert (asked["availability_zone"], asked["metadata"]) == (":node-01", {"escalator_canary": "node-01"})


def test_a_canary_is_forced_to_a_disabled_node_and_its_migration_is_waited_for(
    nova: Any, cloud: Cloud
) -> None:
    nova.tell("GET", ONE, moving("node-02", "migrating"), moving("node-01", None))
    nova.tell(
        "GET", MIGRATIONS, {"migrations": [migration("running")]}, {"migrations": [migration("completed")]}
    )
    cloud.canaries.move("s-1", "node-01", forced=True, timeout_seconds=60.0)
    assert nova.requests_of("POST", f"{ONE}/action")[0].body == {
        "os-migrateLive": {"host": "node-01", "block_migration": "auto", "force": True}
    }


def test_a_canary_goes_on_by_the_scheduler(nova: Any, cloud: Cloud) -> None:
    nova.tell("GET", ONE, moving("node-01", None))
    nova.tell("GET", MIGRATIONS, {"migrations": [migration("error", 1), migration("completed", 2)]})
    cloud.canaries.move("s-1", "node-01", forced=False, timeout_seconds=60.0)
    assert "force" not in nova.requests_of("POST", f"{ONE}/action")[0].body["os-migrateLive"]


def test_a_canary_that_does_not_move_is_told_with_the_status_of_its_migration(
    nova: Any, cloud: Cloud
) -> None:
    nova.tell("GET", ONE, moving("node-02", None))
    nova.tell("GET", MIGRATIONS, {"migrations": [migration("error")]})
    with pytest.raises(NodeFaultError, match="to node-01 ended in status error"):
        cloud.canaries.move("s-1", "node-01", forced=True, timeout_seconds=60.0)
    nova.tell("GET", ONE, moving("node-02", "migrating"))
    with pytest.raises(NodeFaultError, match="takes more than -1 s"):
        cloud.canaries.move("s-1", "node-01", forced=True, timeout_seconds=-1.0)


@pytest.mark.parametrize(
    ("port", "bound"),
    [
        ({"binding:vif_type": "ovs", "binding:host_id": "node-01"}, True),
        ({"binding:vif_type": "binding_failed", "binding:host_id": "node-01"}, False),
        ({"binding:vif_type": "ovs", "binding:host_id": "node-02"}, False),
        ({}, True),
    ],
)
def test_ports_of_a_canary_are_bound_to_its_node(
    nova: Any, cloud: Cloud, port: dict[str, str], *, bound: bool
) -> None:
    cloud.canaries.boot("node-01", run_tag="t", wish=CanaryWish(network="auto"))
    nova.tell("GET", "/network/v2.0/ports", {"ports": [{"id": "p-1", **port}]})
    if bound:
        cloud.canaries.check_ports("s-1", "node-01")
    else:
        with pytest.raises(NodeFaultError, match="p-1"):
            cloud.canaries.check_ports("s-1", "node-01")


def test_without_a_network_no_port_is_asked_for(nova: Any, cloud: Cloud) -> None:
    cloud.run_canary("node-01", tag="t")
    assert nova.requests_of("GET", "/network/v2.0/ports") == []


def test_a_canary_is_described_by_what_it_asks_for(nova: Any, cloud: Cloud) -> None:
    assert nova
    canary = cloud.canaries.describe("node-01")
    assert (canary.host, canary.resources) == ("node-01", {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1})
