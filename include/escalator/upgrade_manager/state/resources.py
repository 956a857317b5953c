"""Resources of a node: whether it is for Placement after its upgrade what it was before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from escalator.model.cloud import Migration, Node, ResourceInventory, Server
from escalator.model.node_facts import ProviderFacts
from escalator.upgrade_manager.state.capacity import MEMORY

_CPUS = ("VCPU", "PCPU")
_KEPT = {MEMORY: 0.95, "DISK_GB": 0.95}
"""The share of what was there that must be there again; a new kernel may keep some memory for itself."""
_NOTHING = ResourceInventory(total=0)


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


def leave_expected_out(before: Mapping[str, int], expected: Collection[str]) -> dict[str, int]:
    """Return what a node had, without the classes that its bundle changes."""
    return {name: amount for name, amount in before.items() if not _is_expected(name, expected)}


def find_changes(
    before: ProviderFacts, now: ProviderFacts, expected: Collection[str] = ()
) -> tuple[str, ...]:
    """Say in what a node's provider is not what it was: each as before -> after.

    A trait, or a class of resources, that came is none: newer releases report more.

    :param expected: names of classes and traits that the bundle changes; ``*`` stands for any characters.
    """
    gone = sorted(set(before.traits) - set(now.traits))
    aggregates = () if before.aggregates == now.aggregates else (_aggregates(before, now),)
    return (
        *_changed_classes(before.inventory, now.inventory, expected),
        *(f"trait {name} -> gone" for name in gone if not _is_expected(name, expected)),
        *aggregates,
    )


def find_gained(before: ProviderFacts, now: ProviderFacts) -> tuple[str, ...]:
    """Return the classes of resources and the traits that a node has now and had not before."""
    classes = {name for name, item in now.inventory.items() if item.total} - set(before.inventory)
    return tuple(sorted(classes | (set(now.traits) - set(before.traits))))


def find_strays(
    consumers: Iterable[str], servers: Iterable[Server], migrations: Iterable[Migration]
) -> tuple[str, ...]:
    """Return the consumers of a node's allocations that are nobody's.

    :param servers: those on the node.
    :param migrations: those from it and to it; while one goes on, it and its server hold allocations.
    """
    going = [m for m in migrations if m.status.unfinished]
    known = {server.id for server in servers} | {m.uuid for m in going} | {m.server_id for m in going}
    return tuple(sorted(set(consumers) - known))


def _changed_classes(
    before: Mapping[str, ResourceInventory], now: Mapping[str, ResourceInventory], expected: Collection[str]
) -> Iterator[str]:
    for name, was in sorted(before.items()):
        found = now.get(name, _NOTHING)
        if _is_expected(name, expected):
            continue
        if not _is_near(was.total, found.total, _KEPT.get(name, 1.0)):
            yield f"{name} total {was.total} -> {found.total}"
        if found.total and was.reserved != found.reserved:
            yield f"{name} reserved {was.reserved} -> {found.reserved}"
        if found.total and was.allocation_ratio != found.allocation_ratio:
            yield f"{name} allocation ratio {was.allocation_ratio:g} -> {found.allocation_ratio:g}"


def _is_near(was: int, found: int, share: float) -> bool:
    return was * share <= found and found * share <= was


def _is_expected(name: str, expected: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in expected)


def _aggregates(before: ProviderFacts, now: ProviderFacts) -> str:
    said = (", ".join(facts.aggregates) or "none" for facts in (before, now))
    return f"aggregates {' -> '.join(said)}"
