"""The inventory files that the DAGs are made from: those in order, and what is wrong with the others.

A file with a fault, and two names that would give one DAG, are left out: they hide nobody else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from escalator.inventory.inventory_file import read_inventory
from escalator.inventory.parts import list_parts
from escalator.inventory.settings_file import ENDING, read_settings
from escalator.model.errors import EscalatorError, InvalidRequestError
from escalator.model.inventory import Inventory
from escalator.model.naming import make_dag_id
from escalator_airflow.settings import inventory_dir

_VERB = "dag"
"""Stands for every verb: ids that clash under one clash under all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventories:
    """What the inventory folder has.

    :ivar good: the inventories in order, by the names of their files.
    :ivar faults: what is wrong with other files, and with names in these.
    :ivar clashing: ids, without their verb, that two names would give.
    """

    good: tuple[Inventory, ...]
    faults: tuple[str, ...] = ()
    clashing: frozenset[str] = frozenset()

    def is_own(self, dag_id: str) -> bool:
        """Tell whether a DAG's id is that of one cloud, or of one of its domains, alone."""
        return dag_id.partition("__")[2] not in self.clashing


def find_inventories() -> Inventories:
    """Read every inventory file of the folder; none when there is no such folder."""
    good, faults = [], []
    for path in sorted(inventory_dir().glob("*.json")):
        try:
            good.append(_read(path))
        except EscalatorError as exc:
            faults.append(str(exc))
    owners: dict[str, list[str]] = defaultdict(list)
    for inventory in good:
        for dag_id, owner in _name_dags(inventory):
            owners[dag_id.partition("__")[2]].append(owner)
    clashing = {name: whose for name, whose in owners.items() if len(whose) > 1}
    faults += [f"{' and '.join(whose)} would have one DAG, …__{name}" for name, whose in clashing.items()]
    return Inventories(good=tuple(good), faults=tuple(faults), clashing=frozenset(clashing))


def judge_inventories() -> Inventories:
    """Read every inventory file and every file of settings; refuse to go on when one is not in order.

    :raises InvalidRequestError: names every fault.
    """
    found = find_inventories()
    faults = [*found.faults, *_find_faults_of_settings()]
    if faults:
        raise InvalidRequestError(
            "; ".join(faults),
            remedy="mend what is named; the DAGs of all others are there",
        )
    return found


def _find_faults_of_settings() -> Iterator[str]:
    for path in sorted(inventory_dir().glob(f"*{ENDING}")):
        try:
            read_settings(path.parent, path.name.removesuffix(ENDING))
        except EscalatorError as exc:
            yield str(exc)


def _read(path: Path) -> Inventory:
    inventory = read_inventory(path)
    if inventory.cloud != path.stem:  # tasks look for the file by the cloud's name
        raise InvalidRequestError(
            f"inventory {path} is of cloud {inventory.cloud!r}",
            remedy="call the file like its cloud",
        )
    return inventory


def _name_dags(inventory: Inventory) -> Iterator[tuple[str, str]]:
    """Yield the ids of an inventory's DAGs, each with whose it is."""
    yield make_dag_id(_VERB, inventory.cloud), f"cloud {inventory.cloud!r}"
    for domain in inventory.domains():
        for part in list_parts(inventory, domain):
            words = f"domain {domain!r} of cloud {inventory.cloud!r}"
            yield make_dag_id(_VERB, inventory.cloud, domain, part), words
