"""Where Escalator's files are, by the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from escalator.model.errors import InvalidRequestError
from escalator.model.verdict import Code
from escalator.settings.sharing import HOME_VARIABLE, INVENTORY_VARIABLE, refuse_private

BUNDLE_VARIABLE = "ESCALATOR_BUNDLE_DIR"
VNF_VARIABLE = "ESCALATOR_VNF_DIR"
PLAYBOOK_VARIABLE = "ESCALATOR_PLAYBOOK_DIR"
REPORT_VARIABLE = "ESCALATOR_REPORT_DIR"
BACKUP_VARIABLE = "ESCALATOR_BACKUP_URL"
BACKUP_PATHS_VARIABLE = "ESCALATOR_BACKUP_PATHS"
_PACKAGE = Path(__file__).resolve().parents[1]


def find_home(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder for what is not set apart: ``ESCALATOR_HOME``, else ``~/.escalator``."""
    return Path(environment.get(HOME_VARIABLE) or "~/.escalator").expanduser().absolute()


def find_inventory_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """Return ``ESCALATOR_INVENTORY_DIR``, else ``inventory`` in :func:`find_home`.

    :raises InvalidRequestError: it is not set, and several components must agree on it.
    """
    if chosen := environment.get(INVENTORY_VARIABLE):
        return Path(chosen)
    refuse_private(INVENTORY_VARIABLE, environment=environment)
    return find_home(environment) / "inventory"


def find_report_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """Return ``ESCALATOR_REPORT_DIR``, else ``reports`` in :func:`find_home`."""
    return Path(environment.get(REPORT_VARIABLE) or find_home(environment) / "reports")


def find_playbook_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """Return ``ESCALATOR_PLAYBOOK_DIR``, else the folder of playbooks that came along."""
    return Path(environment.get(PLAYBOOK_VARIABLE) or _find_beside("playbooks"))


def parse_backup_paths(text: str) -> tuple[str, ...]:
    """Read the value of ``ESCALATOR_BACKUP_PATHS``, paths with colons between them; of none there are none.

    :raises InvalidRequestError: one of them is not absolute, or is all of the node.
    """
    paths = tuple(path for part in text.split(":") if (path := part.strip()))
    wrong = [path for path in paths if not path.startswith("/") or not path.strip("/")]
    if wrong:
        raise InvalidRequestError(
            f"{BACKUP_PATHS_VARIABLE}: {', '.join(wrong)} cannot be saved",
            remedy="name absolute paths of files and folders, with colons between them",
            code=Code.BACKUP_FAILED,
        )
    return paths


def find_own_bundle_dir() -> Path:
    """Return the folder of bundles that came along: inside an installed package, beside it in a checkout."""
    return _find_beside("bundles")


def find_own_vnf_dir() -> Path:
    """Return the folder of VNF files that came along, as :func:`find_own_bundle_dir` does."""
    return _find_beside("vnfs")


def find_own_schema_dir() -> Path:
    """Return the folder of JSON schemas that came along, as :func:`find_own_bundle_dir` does."""
    return _find_beside("schemas")


def _find_beside(name: str) -> Path:
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name
