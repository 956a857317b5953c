"""What stands on child providers of a node in Placement counts with the node."""

from __future__ import annotations

from typing import Any

from tests.cloud_manager.whole_cloud import CANDIDATES, HOSTS, Read, summaries

from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.cloud import Cloud
from escalator.cloud_manager.placement import add_up_inventories
from escalator.model.cloud import ResourceInventory


def child(root: str, name: str, **resources: int) -> dict[str, Any]:
    return {
        name: {
            "resources": {key: {"capacity": amount, "used": 1} for key, amount in resources.items()},
            "traits": ["CUSTOM_NVIDIA_11"],
            "parent_provider_uuid": root,
            "root_provider_uuid": root,
        }
    }


def graphics(total: int = 4) -> dict[str, Any]:
    item = {"total": total, "reserved": 0, "min_unit": 1, "step_size": 1, "max_unit": total}
    return {"inventories": {"VGPU": {**item, "allocation_ratio": 1.0}}}


def test_child_providers_count_with_their_node(read: Read, whole: Any, counter: CallCounter) -> None:
    told = summaries(HOSTS)
    told["provider_summaries"] |= child("rp-node-01", "gpu-1", VGPU=4) | child("rp-node-01", "gpu-2", VGPU=4)
    whole.tell("GET", CANDIDATES, told)
    whole.tell("GET", "/placement/resource_providers/gpu-1/inventories", graphics())
    one, two = read().nodes[:2]
    assert counter.total == 10 + 1
    assert (one.inventory["VGPU"].capacity, one.inventory["VGPU"].max_unit, one.usage["VGPU"]) == (8, 4, 2)
    assert "CUSTOM_NVIDIA_11" in one.traits
    assert "VGPU" not in two.inventory
    read()
    assert counter.total == 11 + 8


def test_children_of_a_full_node_are_looked_for(read: Read, whole: Any) -> None:
    whole.tell("GET", CANDIDATES, summaries(HOSTS[1:]))
    listed = [{"uuid": "rp-node-01", "root_provider_uuid": "rp-node-01"}]
    listed += [{"uuid": "gpu-1", "root_provider_uuid": "rp-node-01"}]
    whole.tell("GET", "/placement/resource_providers", {"resource_providers": listed})
    whole.tell("GET", "/placement/resource_providers/gpu-1/inventories", graphics())
    for provider, usages in (("rp-node-01", {"MEMORY_MB": 4000}), ("gpu-1", {"VGPU": 3})):
        whole.tell("GET", f"/placement/resource_providers/{provider}/usages", {"usages": usages})
        whole.tell("GET", f"/placement/resource_providers/{provider}/traits", {"traits": ["T"]})
    one = read().nodes[0]
    assert (one.free()["MEMORY_MB"], one.free()["VGPU"]) == (0, 1)


def test_a_class_that_the_node_itself_lacks_is_looked_for_on_its_children(whole: Any, cloud: Cloud) -> None:
    listed = [{"uuid": "rp-node-01"}, {"uuid": "gpu-1"}]
    whole.tell("GET", "/placement/resource_providers", {"resource_providers": listed})
    whole.tell("GET", "/placement/resource_providers/gpu-1/inventories", graphics())
    assert "VGPU" not in cloud.fetch_inventory("rp-node-01", classes=("VCPU",))
    assert cloud.fetch_inventory("rp-node-01", classes=("VCPU", "VGPU"))["VGPU"].total == 4
    assert whole.asked[-3].query == {"in_tree": ["rp-node-01"]}


def test_inventories_of_different_ratios_add_up_by_what_they_hold() -> None:
    one, two = ResourceInventory(total=4, allocation_ratio=2.0), ResourceInventory(total=4, reserved=1)
    assert add_up_inventories([{"X": one}, {"X": two}])["X"] == ResourceInventory(total=11, max_unit=8)
