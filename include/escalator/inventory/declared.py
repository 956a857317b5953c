"""What the inventory of a cloud says of cells and aggregates, for a verb that reads the cloud itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from escalator.inventory.inventory_file import find_inventory_path, read_inventory
from escalator.model.errors import InvalidRequestError
from escalator.model.inventory_settings import ALL_AGGREGATES, AggregateRules
from escalator.settings.places import find_inventory_dir


class Declared(TypedDict):
    """What :meth:`Cloud.fetch_snapshot` is told."""

    cells: Mapping[str, str]
    aggregates: AggregateRules


def find_declared(cloud: str) -> Declared:
    """Return what the inventory of a cloud has of cells and aggregates: domains are those of its DAGs.

    :return: nothing, where there is no inventory of it on this machine.
    :raises InvalidRequestError: there is one, and it cannot be read.
    """
    nothing = Declared(cells={}, aggregates=ALL_AGGREGATES)
    try:
        path = find_inventory_path(find_inventory_dir(), cloud)
    except InvalidRequestError:
        return nothing
    if not path.is_file():
        return nothing
    inventory = read_inventory(path)
    return Declared(cells=inventory.cells(), aggregates=inventory.aggregates)
