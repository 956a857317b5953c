from __future__ import annotations

import pytest
from tests.builders import make_node

from escalator.model.cloud import ResourceInventory
from escalator.upgrade_manager.state.resources import count_totals, find_lost


def has(**totals: int) -> dict[str, ResourceInventory]:
    return {name: ResourceInventory(total=total) for name, total in totals.items()}


def test_totals_of_a_node() -> None:
    node = make_node("a", inventory=has(PCPU=8, MEMORY_MB=64, DISK_GB=0))
    assert count_totals(node) == {"PCPU": 8, "MEMORY_MB": 64}
    assert count_totals(None) == {}


@pytest.mark.parametrize(
    ("before", "now", "lost"),
    [
        ({"PCPU": 8, "MEMORY_MB": 64}, has(PCPU=8, MEMORY_MB=64), ()),
        ({"PCPU": 8, "MEMORY_MB": 64}, has(VCPU=8, MEMORY_MB=64), ("no PCPU (8 before its upgrade)",)),
        ({"VCPU": 8, "VGPU": 4}, has(VCPU=8, VGPU=2), ("2 VGPU (4 before its upgrade)",)),
        ({"MEMORY_MB": 1000, "DISK_GB": 100}, has(MEMORY_MB=950, DISK_GB=95), ()),
        ({"MEMORY_MB": 1000}, has(MEMORY_MB=949), ("949 MEMORY_MB (1000 before its upgrade)",)),
        ({"VCPU": 8}, has(VCPU=16, PCPU=4), ()),
        ({}, has(PCPU=8, MEMORY_MB=64), ()),
        ({}, has(VCPU=8, MEMORY_MB=64), ()),
        ({}, has(VCPU=0, MEMORY_MB=64), ("no VCPU or PCPU",)),
        ({}, {}, ("no MEMORY_MB", "no VCPU or PCPU")),
    ],
)
def test_what_a_node_has_no_more(
    before: dict[str, int], now: dict[str, ResourceInventory], lost: tuple[str, ...]
) -> None:
    assert find_lost(before, now) == lost
