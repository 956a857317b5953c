"""Bundle files: ``<folder>/<name>.yaml``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from escalator.documents.yaml_lines import read_yaml
from escalator.model.errors import InvalidRequestError
from escalator.settings.places import BUNDLE_VARIABLE, find_own_bundle_dir


def find_bundle_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the bundles: ``ESCALATOR_BUNDLE_DIR``, else the one that comes along.

    Forms, checks, plans and campaigns have this one folder, wherever plugins and DAG files were copied to.
    """
    return Path(environment.get(BUNDLE_VARIABLE) or find_own_bundle_dir())


def list_bundle_names(folder: Path) -> tuple[str, ...]:
    """Return the names of the bundles in a folder, sorted; none when there is no such folder.

    A file whose name is no text is none: no form could show it.
    """
    return tuple(sorted(path.stem for path in folder.glob("*.yaml") if path.stem.isprintable()))


def read_bundle_document(folder: Path, name: str) -> object:
    """Read one bundle file as a document, unjudged.

    :raises InvalidRequestError: there is no such file, or it is not YAML.
    """
    if name not in list_bundle_names(folder):
        known = ", ".join(list_bundle_names(folder))
        remedy = f"choose one of: {known}" if known else f"put {name}.yaml there, or set {BUNDLE_VARIABLE}"
        raise InvalidRequestError(f"no bundle {name!r} in {folder}", remedy=remedy)
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
