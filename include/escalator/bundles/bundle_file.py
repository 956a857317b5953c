"""Bundle files: ``<folder>/<name>.yaml``."""

from __future__ import annotations

from pathlib import Path

import yaml

from escalator.model.errors import InvalidRequestError


def bundle_names(folder: Path) -> tuple[str, ...]:
    """Return the names of the bundles in a folder, sorted; none when there is no such folder."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def read_bundle_document(folder: Path, name: str) -> object:
    """Read one bundle file as a document, unjudged.

    :raises InvalidRequestError: there is no such file, or it is not YAML.
    """
    if name not in bundle_names(folder):
        known = ", ".join(bundle_names(folder)) or "none"
        raise InvalidRequestError(f"no bundle {name!r} in {folder}", remedy=f"choose one of: {known}")
    path = folder / f"{name}.yaml"
    try:
        document: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise InvalidRequestError(f"bundle {path} cannot be read: {exc}", remedy="mend the file") from exc
    return document
