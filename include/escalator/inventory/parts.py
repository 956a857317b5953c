"""Parts: a drain domain of many nodes is cut into several DAGs, and a node keeps the one it is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from escalator.model.inventory import Inventory, InventoryNode

MAX_NODES = 100
"""Nodes a DAG may have; a larger domain is cut into several DAGs that share the lease."""
Parts = Mapping[int | None, tuple[str, ...]]


def list_parts(inventory: Inventory, domain: str) -> Parts:
    """Return the parts of a domain and their hosts, both in order; None: the DAG without a number."""
    parts = find_parts({node.host: node.part for node in inventory.nodes if node.domain == domain})
    numbers = sorted(set(parts.values()), key=lambda number: number or 0)
    return {number: tuple(sorted(host for host in parts if parts[host] == number)) for number in numbers}


def find_parts(recorded: Mapping[str, int | None]) -> dict[str, int | None]:
    """Return the part of each host of a domain: as recorded; those without share one DAG without a number.

    When they are too many for one DAG, as in a domain that was never cut, they are cut evenly, by name.
    """
    loose = sorted(host for host, part in recorded.items() if part is None)
    if len(loose) <= MAX_NODES:
        return dict(recorded)
    highest = max((part for part in recorded.values() if part is not None), default=0)
    size = -(-len(loose) // _count_parts(len(loose)))  # as even as can be: a part of one node is none
    cut = {host: highest + 1 + number // size for number, host in enumerate(loose)}
    return {host: cut.get(host, part) for host, part in recorded.items()}


def place_new(recorded: Mapping[str, int | None], new: Sequence[str]) -> dict[str, int | None]:
    """Return the part of each host of a domain, those that are new among them: no other host moves.

    A new host goes to the emptiest part; when all are full there is a new one.

    :param recorded: host -> part of the hosts that the domain had before.
    """
    if not recorded:
        return find_parts(dict.fromkeys(new))
    parts = find_parts(recorded)
    sizes = {part: list(parts.values()).count(part) for part in set(parts.values())}
    room = sum(max(0, MAX_NODES - size) for size in sizes.values())
    highest = max((part or 1 for part in sizes), default=0)
    for number in range(1, _count_parts(max(0, len(new) - room)) + 1):
        sizes[highest + number] = 0
    for host in sorted(new):
        part = min(sizes, key=lambda part: (sizes[part], part or 0))
        parts[host] = part
        sizes[part] += 1
    return parts


def place_nodes(
    nodes: Sequence[InventoryNode], kept: Mapping[str, InventoryNode]
) -> tuple[InventoryNode, ...]:
    """Give each node its part: the one it had, when it was in the same domain before.

    :param kept: host -> node of the inventory before.
    """
    placed = []
    for domain in sorted({node.domain for node in nodes}):
        members = [node for node in nodes if node.domain == domain]
        before = {host: node.part for host, node in kept.items() if node.domain == domain}
        parts_before = find_parts(before)
        recorded = {n.host: parts_before[n.host] for n in members if n.host in parts_before}
        parts = place_new(recorded, [n.host for n in members if n.host not in recorded])
        placed += [replace(node, part=parts[node.host]) for node in members]
    return tuple(sorted(placed, key=lambda node: node.host))


def _count_parts(nodes: int) -> int:
    """Return how many DAGs so many nodes need."""
    return -(-nodes // MAX_NODES)
