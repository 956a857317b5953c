"""What the inventory of a cloud says of its nodes, for a verb that reads the cloud itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from escalator.inventory.inventory_file import find_inventory_path, read_inventory
from escalator.model.bundle import COMPUTE
from escalator.model.errors import InvalidRequestError
from escalator.model.inventory import Inventory
from escalator.model.inventory_settings import ALL_AGGREGATES, AggregateRules
from escalator.model.node_software import Software
from escalator.settings.places import find_inventory_dir


class Declared(TypedDict):
    """What :meth:`Cloud.fetch_snapshot` is told."""

    cells: Mapping[str, str]
    aggregates: AggregateRules


def find_inventory(cloud: str) -> Inventory | None:
    """Read the inventory of a cloud; None where there is none of it on this machine.

    :raises InvalidRequestError: there is one, and it cannot be read.
    """
    try:
        path = find_inventory_path(find_inventory_dir(), cloud)
    except InvalidRequestError:
        return None
    return read_inventory(path) if path.is_file() else None


def declare(inventory: Inventory | None) -> Declared:
    """Return what an inventory has of cells and aggregates: domains are those of its DAGs."""
    if inventory is None:
        return Declared(cells={}, aggregates=ALL_AGGREGATES)
    return Declared(cells=inventory.cells(), aggregates=inventory.aggregates)


def list_software(inventory: Inventory | None) -> dict[str, Software]:
    """Return what the nodes ran when the inventory was taken, by host, as far as it was read.

    Of nova-compute it is left out: whether a node is upgraded is not judged by what it once had.
    """
    nodes = () if inventory is None else inventory.nodes
    found = {n.host: {name: v for name, v in n.versions.items() if name != COMPUTE} for n in nodes}
    return {host: software for host, software in found.items() if software}
