"""The inventory file of a cloud, ``<folder>/<cloud>.json``: written whole or not at all, cheap to read."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from escalator.model.errors import InvalidRequestError
from escalator.model.inventory import SCHEMA, Inventory, InventoryNode

DIRECTORY_VARIABLE = "ESCALATOR_INVENTORY_DIR"
_CONNECTIONS = ("cloud_conn_id", "ssh_conn_id")
_KEYS = frozenset({"schema", "cloud", "taken_at", "nodes", "extra", *_CONNECTIONS})
_NODE_KEYS = frozenset({"host", "domain", "address"})
_CLOUD_NAME = re.compile(r"^[A-Za-z0-9_.-]+$")
_MODE = 0o644
_REMEDY = "write it anew: escalator inventory --cloud NAME"


def inventory_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the inventory files.

    :raises InvalidRequestError: ``ESCALATOR_INVENTORY_DIR`` is not set.
    """
    folder = environ.get(DIRECTORY_VARIABLE)
    if not folder:
        raise InvalidRequestError(
            f"{DIRECTORY_VARIABLE} is not set", remedy="set it to the folder of the inventory files"
        )
    return Path(folder)


def inventory_path(folder: Path, cloud: str) -> Path:
    """Return where the inventory of a cloud is.

    :raises InvalidRequestError: the name cannot be that of a file.
    """
    if not _CLOUD_NAME.match(cloud) or cloud in {".", ".."}:
        raise InvalidRequestError(
            f"a cloud cannot be called {cloud!r}", remedy="use letters, digits, dots, hyphens, underscores"
        )
    return folder / f"{cloud}.json"


def write_inventory(path: Path, inventory: Inventory) -> None:
    """Write an inventory: a reader finds the old file or the new one, never a part.

    A second run with the same inventory gives the same bytes. The folder is made if it is not there.

    :raises InvalidRequestError: the file cannot be written.
    """
    text = json.dumps(inventory_to_document(inventory), indent=1) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text)
    except OSError as exc:
        message = f"inventory {path} cannot be written: {exc.strerror}"
        raise InvalidRequestError(message, remedy="see the folder's rights and space") from exc


def _replace(path: Path, text: str) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), _MODE)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_inventory(path: Path) -> Inventory:
    """Read an inventory.

    :raises InvalidRequestError: there is no such file, or what is wrong with it.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise InvalidRequestError(f"there is no inventory {path}", remedy=_REMEDY) from exc
    except OSError as exc:
        message = f"inventory {path} cannot be read: {exc.strerror}"
        raise InvalidRequestError(message, remedy="see the file's rights") from exc
    except ValueError as exc:
        raise InvalidRequestError(f"inventory {path} is not JSON: {exc}", remedy=_REMEDY) from exc
    try:
        return inventory_from_document(document)
    except InvalidRequestError as exc:
        raise InvalidRequestError(f"inventory {path}: {exc.message}", remedy=_REMEDY) from exc


def inventory_to_document(inventory: Inventory) -> dict[str, Any]:
    """Write an inventory as plain JSON data, its nodes sorted by host."""
    return {
        "schema": SCHEMA,
        "cloud": inventory.cloud,
        "taken_at": inventory.taken_at.isoformat(),
        "cloud_conn_id": inventory.cloud_conn_id,
        "ssh_conn_id": inventory.ssh_conn_id,
        "nodes": [
            {"host": node.host, "domain": node.domain, "address": node.address}
            for node in sorted(inventory.nodes, key=lambda node: node.host)
        ],
        "extra": dict(sorted(inventory.extra.items())),
    }


def inventory_from_document(document: object) -> Inventory:
    """Read an inventory from plain JSON data.

    :raises InvalidRequestError: says what is wrong, and where.
    """
    fields = _object(document, "document", _KEYS)
    if fields.get("schema") != SCHEMA:
        raise InvalidRequestError(f"schema must be {SCHEMA}, not {fields.get('schema')!r}")
    records = fields.get("nodes")
    if not isinstance(records, list):
        raise InvalidRequestError("nodes: must be a list")
    nodes = tuple(_node(record, f"nodes[{index}]") for index, record in enumerate(records))
    hosts = Counter(node.host for node in nodes)
    doubles = sorted(host for host, times in hosts.items() if times > 1)
    if doubles:
        raise InvalidRequestError(f"nodes: more than once: {', '.join(doubles)}")
    extra = _object(fields.get("extra", {}), "extra")
    connections = {key: _text(fields, key, "") for key in _CONNECTIONS if key in fields}
    return Inventory(
        cloud=_text(fields, "cloud", ""),
        taken_at=_moment(fields),
        nodes=nodes,
        extra={key: _text(extra, key, "extra.") for key in extra},
        **connections,
    )


def _node(record: object, path: str) -> InventoryNode:
    fields = _object(record, path, _NODE_KEYS)
    return InventoryNode(**{key: _text(fields, key, f"{path}.") for key in sorted(_NODE_KEYS)})


def _object(value: object, path: str, known: frozenset[str] | None = None) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InvalidRequestError(f"{path}: must be an object")
    unknown = sorted(set(value) - known) if known is not None else []
    if unknown:
        raise InvalidRequestError(f"{path}: unknown key {', '.join(unknown)}")
    return value


def _text(fields: Mapping[str, object], key: str, path: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not value:
        raise InvalidRequestError(f"{path}{key}: must be a string that is not empty")
    return value


def _moment(fields: Mapping[str, object]) -> datetime:
    text = _text(fields, "taken_at", "")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 - refused below
    if moment.tzinfo is None:
        raise InvalidRequestError(f"taken_at: must be a time with its offset, not {text!r}")
    return moment
