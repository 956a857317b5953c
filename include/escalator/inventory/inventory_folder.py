"""The inventory files of a folder: those in order, and what is wrong with the others.

A file with a fault, and two names that would give one DAG, are left out: they hide nobody else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from escalator.inventory.inventory_file import read_inventory
from escalator.inventory.parts import list_parts
from escalator.model.errors import EscalatorError, InvalidRequestError
from escalator.model.inventory import Inventory
from escalator.model.naming import make_dag_id

_VERB = "dag"
"""Stands for every verb: ids that clash under one clash under all."""

RENAME = "neither has one until the aggregate, the availability zone or the cloud of one is renamed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventories:
    """What the inventory folder has.

    :ivar good: the inventories in order, by the names of their files.
    :ivar faults: what is wrong with other files, and with names in these.
    :ivar clashes: ids of DAGs, without their verb, that several names would give, and whose they would be.
    """

    good: tuple[Inventory, ...]
    faults: tuple[str, ...]
    clashes: Mapping[str, tuple[str, ...]]

    def is_own(self, dag_id: str) -> bool:
        """Tell whether a DAG's id is that of one cloud, or of one of its domains, alone."""
        return dag_id.partition("__")[2] not in self.clashes


def read_inventories(folder: Path) -> Inventories:
    """Read every inventory file of a folder; none when there is no such folder."""
    good, faults = [], []
    for path in sorted(folder.glob("*.json")):
        try:
            good.append(read_own_inventory(path))
        except EscalatorError as exc:
            faults.append(str(exc))
    clashes = find_clashes(good)
    return Inventories(good=tuple(good), faults=(*faults, *say_clashes(clashes)), clashes=clashes)


def read_own_inventory(path: Path) -> Inventory:
    """Read an inventory, which has to be of the cloud that its file is called after.

    :raises InvalidRequestError: it is not, there is no such file, or what is wrong with it.
    """
    inventory = read_inventory(path)
    if inventory.cloud != path.stem:  # tasks look for the file by the cloud's name
        raise InvalidRequestError(
            f"inventory {path} is of cloud {inventory.cloud!r}",
            remedy="call the file like its cloud",
        )
    return inventory


def find_clashes(inventories: Iterable[Inventory]) -> Mapping[str, tuple[str, ...]]:
    """Find ids of DAGs, without their verb, that several names would give: id -> whose it would be."""
    owners: dict[str, list[str]] = defaultdict(list)
    for inventory in inventories:
        for dag_id, owner in _name_dags(inventory):
            owners[dag_id.partition("__")[2]].append(owner)
    return {name: tuple(whose) for name, whose in owners.items() if len(whose) > 1}


def say_clashes(clashes: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Say each clash in words."""
    return tuple(f"{' and '.join(whose)} would have one DAG, …__{name}" for name, whose in clashes.items())


def list_clashes_of(folder: Path, cloud: str) -> tuple[str, ...]:
    """Say in words which names of a cloud would share a DAG, with one another or another cloud."""
    owner = f"cloud {cloud!r}"
    clashes = read_inventories(folder).clashes
    return say_clashes(
        {name: whose for name, whose in clashes.items() if any(one.endswith(owner) for one in whose)}
    )


def _name_dags(inventory: Inventory) -> Iterator[tuple[str, str]]:
    """Yield the ids of an inventory's DAGs, each with whose it is."""
    yield make_dag_id(_VERB, inventory.cloud), f"cloud {inventory.cloud!r}"
    for domain in inventory.domains():
        for part in list_parts(inventory, domain):
            words = f"domain {domain!r} of cloud {inventory.cloud!r}"
            yield make_dag_id(_VERB, inventory.cloud, domain, part), words
