"""Bundle files: ``<folder>/<name>.yaml``."""

from __future__ import annotations

import os
from pathlib import Path

from escalator.documents.yaml_lines import read_yaml
from escalator.model.errors import InvalidRequestError

_HERE = Path(__file__).resolve().parents[2]


def find_bundle_dir() -> Path:
    """Return the folder of the bundles: ``ESCALATOR_BUNDLE_DIR``, else the one that comes along."""
    return Path(os.environ.get("ESCALATOR_BUNDLE_DIR") or _HERE / "bundles")


def list_bundle_names(folder: Path) -> tuple[str, ...]:
    """Return the names of the bundles in a folder, sorted; none when there is no such folder."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def read_bundle_document(folder: Path, name: str) -> object:
    """Read one bundle file as a document, unjudged.

    :raises InvalidRequestError: there is no such file, or it is not YAML.
    """
    if name not in list_bundle_names(folder):
        known = ", ".join(list_bundle_names(folder)) or "none"
        raise InvalidRequestError(f"no bundle {name!r} in {folder}", remedy=f"choose one of: {known}")
    return read_bundle_file(folder / f"{name}.yaml")


def read_bundle_file(path: Path) -> object:
    """Read a bundle file as a document, unjudged.

    :raises InvalidRequestError: there is no such file, or it is not YAML.
    """
    try:
        return read_yaml(path)
    except FileNotFoundError as exc:
        raise InvalidRequestError(
            f"bundle {path} cannot be read: there is no such file", remedy="see its name"
        ) from exc
