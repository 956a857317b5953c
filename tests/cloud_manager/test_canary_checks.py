from __future__ import annotations

from typing import Any

import pytest
from tests.builders import make_node

from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.cloud import Cloud
from escalator.model.canary import CanaryWish
from escalator.model.cloud import ResourceInventory

NODES = [make_node("node-01"), make_node("node-02")]
PINNED_NODE = make_node("node-03", inventory={"PCPU": ResourceInventory(total=4)})
NETWORKS = "/network/v2.0/networks"


@pytest.fixture
def ready(fake: Any) -> Any:
    """A cloud with a flavor, an image, a network and room in the quotas."""
    flavor = {"id": "f", "name": "tiny", "ram": 512, "vcpus": 1, "disk": 1, "extra_specs": {}}
    fake.tell("GET", "/compute/v2.1/flavors/detail", {"flavors": [flavor]})
    fake.tell("GET", "/image/v2/images", {"images": [{"id": "i", "name": "cirros", "size": 10}]})
    tell_quota(fake)
    fake.tell("GET", NETWORKS, {"networks": []}, {"networks": [{"id": "n", "name": "prove"}]})
    tell_ports(fake, used=0)
    return fake


def tell_quota(fake: Any, **used: int) -> None:
    quota = {
        name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0}
        for name, limit in (("instances", 10), ("cores", 20), ("ram", 4096))
    }
    fake.first = lambda asked: (200, {"quota_set": quota}) if "os-quota-sets" in asked.path else None


def tell_ports(fake: Any, *, used: int) -> None:
    first, ports = fake.first, {"limit": 10, "used": used, "reserved": 0}
    fake.first = lambda asked: (
        (200, {"quota": {"ports": ports}}) if "/quotas/" in asked.path else first(asked)
    )


def find(cloud: Cloud, *, at_once: int = 1, nodes: Any = NODES, **wish: Any) -> list[str]:
    return [fault.message for fault in cloud.fetch_canary_faults(nodes, CanaryWish(**wish), at_once=at_once)]


def test_all_is_there_and_was_found_in_few_calls(ready: Any, cloud: Cloud, counter: CallCounter) -> None:
    cloud.fetch_canary_faults((), CanaryWish(), at_once=1)
    before = counter.total
    assert find(cloud) == []
    assert counter.total - before == 3
    assert ready.asked


@pytest.mark.parametrize(
    ("used", "words"),
    [
        ({"instances": 9}, "canaries need 2 instances at once, and of the quota of 10 9 are used"),
        ({"cores": 19}, "canaries need 2 cores at once"),
        ({"ram": 3584}, "canaries need 1024 ram at once"),
    ],
)
def test_a_quota_without_room_is_named(ready: Any, cloud: Cloud, used: dict[str, int], words: str) -> None:
    tell_quota(ready, **used)
    (message,) = find(cloud, at_once=2)
    assert words in message
    assert find(cloud, at_once=1) == []


def test_the_network_is_looked_for_by_id_and_name_and_its_ports_are_counted(ready: Any, cloud: Cloud) -> None:
    assert find(cloud, network="prove") == []
    tell_ports(ready, used=9)
    (message,) = find(cloud, network="prove", at_once=2)
    assert "2 port(s) at once, and the quota has room for 1" in message
    assert find(cloud, network="none") == []
    ready.tell("GET", NETWORKS, {"networks": []})
    assert find(cloud, network="gone") == ["there is no network gone for canaries"]


def test_what_is_named_has_to_be_there_and_to_land(ready: Any, cloud: Cloud) -> None:
    assert find(cloud, flavor="gone") == ["there is no flavor gone, for canaries"]
    assert find(cloud, image="gone") == ["node-01, node-02: there is no image gone, for canaries"]
    (message,) = find(cloud, nodes=[*NODES, PINNED_NODE], flavor="tiny")
    assert message.startswith(
        "flavor tiny of canaries wants 1 VCPU, 512 MEMORY_MB, which does not fit on node-03"
    )
    (message,) = find(cloud, nodes=[*NODES, PINNED_NODE])
    assert message.startswith("node-03: no flavor ")
    assert ready.asked


def test_images_are_found_in_a_cloud_of_more_snapshots_than_a_page(ready: Any, cloud: Cloud) -> None:
    """A snapshot of a server on a volume has no bytes, and comes before every image that has some."""
    cirros = {"id": "i", "name": "cirros", "size": 10, "status": "active"}
    empty = [{"id": f"s-{n}", "name": f"s-{n}", "size": 0, "status": "active"} for n in range(1000)]
    first = ready.first

    def glance(asked: Any) -> Any:
        if asked.path == "/image/v2/images/i":
            return 200, cirros
        if asked.path != "/image/v2/images":
            return first(asked)
        named, least = asked.query.get("name"), int(asked.query.get("size_min", ["0"])[0])
        found = [i for i in (*empty, cirros) if i["size"] >= least and named in (None, [i["name"]])]
        return 200, {"images": found[:1000]}

    ready.first = glance
    assert find(cloud) == []
    assert find(cloud, image="cirros") == []
    assert find(cloud, image="i") == []
    assert find(cloud, image="gone") == ["node-01, node-02: there is no image gone, for canaries"]


def test_the_smallest_of_images_for_several_architectures_is_warned_of(ready: Any, cloud: Cloud) -> None:
    arm = {"id": "a", "name": "cirros-arm", "size": 9, "hw_architecture": "aarch64"}
    intel = {"id": "i", "name": "cirros", "size": 10, "architecture": "x86_64"}
    ready.tell("GET", "/image/v2/images", {"images": [arm, intel]})
    (fault,) = cloud.fetch_canary_faults(NODES, CanaryWish(), at_once=1)
    assert not fault.sure
    assert fault.message == (
        "the image chosen for canaries, cirros-arm, is for aarch64, and there are others for x86_64: whether "
        "it boots on node-01, node-02 is not known"
    )
    assert find(cloud, image="cirros") == []
    ready.tell("GET", "/image/v2/images", {"images": [arm, {**intel, "architecture": "AARCH64"}]})
    assert find(cloud) == []


def test_what_may_not_be_looked_at_is_not_sure(ready: Any, cloud: Cloud) -> None:
    ready.tell("GET", "/image/v2/images", (403, {"message": "no"}))
    (fault,) = cloud.fetch_canary_faults(NODES, CanaryWish(), at_once=1)
    assert not fault.sure


def test_networks_that_may_not_be_looked_at_are_not_sure_to_lack_one(ready: Any, cloud: Cloud) -> None:
    ready.tell("GET", NETWORKS, (403, {"NeutronError": {"message": "no"}}))
    (fault,) = cloud.fetch_canary_faults(NODES, CanaryWish(network="prove"), at_once=1)
    assert not fault.sure


def test_what_was_found_before_something_may_not_be_looked_at_is_told(ready: Any, cloud: Cloud) -> None:
    ready.tell("GET", NETWORKS, {"networks": []})
    first = ready.first
    ready.first = lambda asked: (403, {"forbidden": {}}) if "os-quota-sets" in asked.path else first(asked)
    found = cloud.fetch_canary_faults(NODES, CanaryWish(network="gone"), at_once=1)
    assert [fault.sure for fault in found] == [True, False]
