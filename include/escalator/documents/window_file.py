"""The file of the maintenance windows, beside the inventory files: ``windows.yaml``."""

from __future__ import annotations

from pathlib import Path

from escalator.documents.yaml_lines import read_yaml

NAME = "windows.yaml"


def read_window_document(folder: Path) -> object | None:
    """Read the windows file of an inventory folder as a document, unjudged; None when there is none.

    :raises InvalidRequestError: it cannot be read, or is not YAML.
    """
    try:
        return read_yaml(folder / NAME)
    except FileNotFoundError:
        return None
