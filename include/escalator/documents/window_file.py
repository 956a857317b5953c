"""The file of the maintenance windows, beside the inventory files: ``windows.yaml``."""

from __future__ import annotations

from pathlib import Path

import yaml

from escalator.model.errors import InvalidRequestError

NAME = "windows.yaml"


def read_window_document(folder: Path) -> object | None:
    """Read the windows file of an inventory folder as a document, unjudged; None when there is none.

    :raises InvalidRequestError: it cannot be read, or is not YAML.
    """
    path = folder / NAME
    try:
        document: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        reason = " ".join(str(exc).split())
        raise InvalidRequestError(f"{path} cannot be read: {reason}", remedy="mend the file") from exc
    return document
