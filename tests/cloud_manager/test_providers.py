from __future__ import annotations

from typing import Any

import pytest

from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.cloud import Cloud
from escalator.model.cloud import ResourceInventory
from escalator.model.errors import NotFoundError
from escalator.model.node_facts import ProviderFacts

ALL = "/placement/resource_providers"


def item(total: int, **fields: Any) -> dict[str, Any]:
    plain = {"reserved": 0, "min_unit": 1, "step_size": 1, "max_unit": total, "allocation_ratio": 1.0}
    return {"total": total, **plain, **fields}


@pytest.fixture
def tree(fake: Any) -> Any:
    """A node with a graphics card of its own provider."""
    fake.tell("GET", ALL, {"resource_providers": [{"uuid": "rp-1"}, {"uuid": "gpu-1"}]})
    fake.tell("GET", f"{ALL}/rp-1/inventories", {"inventories": {"VCPU": item(8, reserved=2)}})
    fake.tell("GET", f"{ALL}/gpu-1/inventories", {"inventories": {"VGPU": item(4)}})
    fake.tell("GET", f"{ALL}/rp-1/traits", {"traits": ["COMPUTE_STATUS_DISABLED", "COMPUTE_NODE"]})
    fake.tell("GET", f"{ALL}/gpu-1/traits", {"traits": ["CUSTOM_NVIDIA_11"]})
    fake.tell("GET", f"{ALL}/rp-1/aggregates", {"aggregates": ["b", "a"]})
    fake.tell("GET", f"{ALL}/rp-1/allocations", {"allocations": {"s-1": {"resources": {"VCPU": 1}}}})
    return fake


def test_a_provider_is_read_whole_but_for_the_mark_of_a_disabled_service(
    tree: Any, cloud: Cloud, counter: CallCounter
) -> None:
    before = counter.total
    assert cloud.providers.fetch_provider("rp-1") == ProviderFacts(
        id="rp-1",
        inventory={
            "VCPU": ResourceInventory(total=8, reserved=2, max_unit=8),
            "VGPU": ResourceInventory(total=4, max_unit=4),
        },
        traits=("COMPUTE_NODE", "CUSTOM_NVIDIA_11"),
        aggregates=("a", "b"),
    )
    assert counter.total - before == 1 + 6  # a token
    assert tree.requests_of("GET", ALL)[0].query == {"in_tree": ["rp-1"]}


def test_who_has_allocations_on_a_node(tree: Any, cloud: Cloud) -> None:
    assert tree
    assert cloud.providers.fetch_consumers("rp-1") == {"s-1"}


def test_a_provider_that_is_not_there_is_told(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", ALL, {"resource_providers": []})
    with pytest.raises(NotFoundError, match="rp-9"):
        cloud.providers.fetch_provider("rp-9")
