"""The inventory files that the DAGs are made from, and the import error that names their faults."""

from __future__ import annotations

from collections.abc import Iterator

from escalator.inventory.inventory_folder import Inventories, read_inventories
from escalator.inventory.settings_file import ENDING, read_settings
from escalator.model.errors import EscalatorError, InvalidRequestError
from escalator_airflow.settings import inventory_dir


def find_inventories() -> Inventories:
    """Read every inventory file of the folder; none when there is no such folder."""
    return read_inventories(inventory_dir())


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
