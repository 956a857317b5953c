from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import NOW, make_node, make_server

from escalator.model.cloud import Migration, MigrationStatus, ResourceInventory
from escalator.model.node_facts import ProviderFacts
from escalator.upgrade_manager.state.resources import (
    count_totals,
    find_changes,
    find_gained,
    find_lost,
    find_strays,
    leave_expected_out,
)


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


WAS = ProviderFacts(
    id="rp-1",
    inventory=has(VCPU=8, MEMORY_MB=1000),
    traits=("COMPUTE_NODE", "HW_A"),
    aggregates=("a", "b"),
)


@pytest.mark.parametrize(
    ("now", "expected", "changes"),
    [
        (WAS, (), ()),
        (replace(WAS, traits=("COMPUTE_NODE", "COMPUTE_X", "HW_A")), (), ()),
        (replace(WAS, inventory=has(VCPU=8, MEMORY_MB=950, VGPU=4)), (), ()),
        (replace(WAS, inventory=has(VCPU=8, MEMORY_MB=1052)), (), ()),
        (replace(WAS, inventory=has(VCPU=8, MEMORY_MB=1100)), (), ("MEMORY_MB total 1000 -> 1100",)),
        (replace(WAS, inventory=has(VCPU=9, MEMORY_MB=1000)), (), ("VCPU total 8 -> 9",)),
        (replace(WAS, inventory=has(MEMORY_MB=1000)), (), ("VCPU total 8 -> 0",)),
        (replace(WAS, inventory=has(MEMORY_MB=1000)), ("VCPU",), ()),
        (replace(WAS, traits=()), ("HW_*",), ("trait COMPUTE_NODE -> gone",)),
        (replace(WAS, aggregates=("b", "c")), ("*",), ("aggregates a, b -> b, c",)),
    ],
)
def test_what_is_not_as_it_was(
    now: ProviderFacts, expected: tuple[str, ...], changes: tuple[str, ...]
) -> None:
    assert find_changes(WAS, now, expected) == changes


def test_what_a_node_gained() -> None:
    now = replace(WAS, traits=(*WAS.traits, "NEW"), inventory={**WAS.inventory, **has(VGPU=1, PCPU=0)})
    assert find_gained(WAS, now) == ("NEW", "VGPU")


def test_a_bundle_says_which_classes_are_not_missed() -> None:
    assert leave_expected_out({"VCPU": 8, "VGPU": 4}, ("VG*",)) == {"VCPU": 8}


def move(uuid: str, server_id: str, status: MigrationStatus) -> Migration:
    return Migration(
        id=1,
        uuid=uuid,
        server_id=server_id,
        type="live-migration",
        status=status,
        source_host="a",
        dest_host="b",
        created_at=NOW,
    )


def test_consumers_that_are_nobodys() -> None:
    going = move("m-1", "s-2", MigrationStatus.FINISHED)
    over = move("m-2", "s-3", MigrationStatus.COMPLETED)
    consumers = {"id-s-1", "m-1", "s-2", "m-2", "s-3", "x"}
    assert find_strays(consumers, (make_server("s-1", "a"),), (going, over)) == ("m-2", "s-3", "x")
