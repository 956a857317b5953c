"""Resources of a node: whether it has after its upgrade what it had before."""

from __future__ import annotations

from collections.abc import Mapping

from escalator.model.cloud import Node, ResourceInventory
from escalator.upgrade_manager.state.capacity import MEMORY

_CPUS = ("VCPU", "PCPU")
_KEPT = {MEMORY: 0.95, "DISK_GB": 0.95}
"""The share of what was there that must be there again; a new kernel may keep some memory for itself."""


def count_totals(node: Node | None) -> dict[str, int]:
    """Return what a node has of each resource class, child providers included; nothing of an unknown one."""
    return {} if node is None else {name: item.total for name, item in node.inventory.items() if item.total}


def find_lost(before: Mapping[str, int], now: Mapping[str, ResourceInventory]) -> tuple[str, ...]:
    """Say what a node has no more, or less of.

    :param before: totals by resource class; empty when they are not known: then memory and CPUs of either
        kind have to be there.
    """
    totals = {name: item.total for name, item in now.items()}
    if not before:
        lacking = [] if totals.get(MEMORY) else [MEMORY]
        lacking += [] if any(totals.get(name) for name in _CPUS) else ["VCPU or PCPU"]
        return tuple(f"no {name}" for name in lacking)
    return tuple(
        f"{there or 'no'} {name} ({amount} before its upgrade)"
        for name, amount in sorted(before.items())
        if (there := totals.get(name, 0)) < amount * _KEPT.get(name, 1.0)
    )
