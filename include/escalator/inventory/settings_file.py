"""The inventory settings of a cloud, ``<folder>/<cloud>.settings.yaml``: what its operator declares of it."""

from __future__ import annotations

from pathlib import Path

from escalator.documents.document_model import read_document
from escalator.documents.faults import say_faults
from escalator.documents.yaml_lines import read_yaml
from escalator.inventory.inventory_file import find_inventory_path
from escalator.inventory.settings_document import SettingsDocument, settings_of
from escalator.model.errors import InvalidRequestError
from escalator.model.inventory_settings import NOTHING_DECLARED, InventorySettings

ENDING = ".settings.yaml"


def read_settings(folder: Path, cloud: str) -> InventorySettings:
    """Read the inventory settings of a cloud; without a file nothing is declared.

    :param folder: that of the inventory files.
    :raises InvalidRequestError: it cannot be read, is no YAML, or has faults: each is named with its line.
    """
    path = find_inventory_path(folder, cloud).with_name(f"{cloud}{ENDING}")
    try:
        document = read_yaml(path)
    except FileNotFoundError:
        return NOTHING_DECLARED
    found = read_document(SettingsDocument, document)
    if isinstance(found, list):
        raise InvalidRequestError(
            f"inventory settings {path}: {say_faults(found)}", remedy="correct the file"
        )
    return settings_of(found)
