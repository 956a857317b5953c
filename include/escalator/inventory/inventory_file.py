"""The inventory file of a cloud, ``<folder>/<cloud>.json``: written whole or not at all, cheap to read."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from escalator.documents.document_model import DocumentModel, Moment, list_mappings, read_document
from escalator.documents.faults import Fault, say_faults
from escalator.documents.plain_file import read_file
from escalator.inventory.alerts_document import AlertsDocument, alerts_of, alerts_to_document
from escalator.inventory.notify_document import NotifyDocument, notify_of, notify_to_document
from escalator.inventory.settings_document import (
    AggregatesDocument,
    ControllerDocument,
    DumpDocument,
    ImagesDocument,
    PowerDocument,
    controller_of,
    dump_of,
    images_of,
    power_of,
    rules_of,
)
from escalator.model.errors import InvalidRequestError
from escalator.model.inventory import SCHEMA, Inventory, InventoryNode
from escalator.model.inventory_settings import ALL_AGGREGATES

_CLOUD_NAME = re.compile(r"^[A-Za-z0-9_.-]+$")
_MODE = 0o644
_MOST_PARTS = 10**4
_REMEDY = "write it anew: escalator inventory --cloud NAME"


Words = Annotated[str, Field(min_length=1)]


class NodeDocument(DocumentModel):
    """One compute node: its host, its drain domain, where SSH reaches it, its part, its cell, what it ran."""

    host: Words
    domain: Words
    address: Words
    part: int | None = Field(default=None, ge=1, le=_MOST_PARTS)
    cell: Words | None = None
    versions: dict[Words, Words] = Field(default={})


class InventoryDocument(DocumentModel):
    """The nodes of one cloud and the ids of the Airflow connections that reach them."""

    schema_: Literal["escalator.inventory/1"] = Field(alias="schema")
    cloud: Words
    taken_at: Moment
    cloud_conn_id: Words = "openstack_default"
    ssh_conn_id: Words = "escalator_ssh"
    nodes: list[NodeDocument]
    extra: dict[str, Words] = Field(default={})
    aggregates: AggregatesDocument = Field(default_factory=AggregatesDocument)
    controller: ControllerDocument | None = None
    power: PowerDocument | None = None
    alerts: AlertsDocument | None = None
    dump: DumpDocument | None = None
    images: ImagesDocument | None = None
    notify: list[NotifyDocument] = Field(default=[])

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find hosts that stand there more than once."""
        names = (node.get("host") for _, node in list_mappings(values, "nodes"))
        hosts = Counter(name for name in names if isinstance(name, str))
        doubles = sorted(host for host, times in hosts.items() if times > 1)
        if doubles:
            yield Fault(("nodes",), f"more than once: {', '.join(doubles)}")


def find_inventory_path(folder: Path, cloud: str) -> Path:
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
        document = json.loads(read_file(path))
    except FileNotFoundError as exc:
        raise InvalidRequestError(f"there is no inventory {path}", remedy=_REMEDY) from exc
    except OSError as exc:
        message = f"inventory {path} cannot be read: {exc.strerror}"
        raise InvalidRequestError(message, remedy="see the file's rights") from exc
    except (ValueError, RecursionError) as exc:
        raise InvalidRequestError(f"inventory {path} is not JSON: {exc}", remedy=_REMEDY) from exc
    try:
        return inventory_from_document(document)
    except InvalidRequestError as exc:
        raise InvalidRequestError(f"inventory {path}: {exc.message}", remedy=_REMEDY) from exc


def inventory_to_document(inventory: Inventory) -> dict[str, Any]:
    """Write an inventory as plain JSON data, its nodes sorted by host; of the settings what was declared."""
    declared: dict[str, Any] = {}
    if inventory.aggregates != ALL_AGGREGATES:
        declared["aggregates"] = _without_none(asdict(inventory.aggregates))
    if inventory.controller is not None:
        declared["controller"] = asdict(inventory.controller)
    if inventory.power is not None:
        declared["power"] = _without_none(asdict(inventory.power))
    if inventory.alerts is not None:
        declared["alerts"] = alerts_to_document(inventory.alerts)
    if inventory.dump is not None:
        declared["dump"] = asdict(inventory.dump)
    if inventory.images is not None:
        declared["images"] = asdict(inventory.images)
    if inventory.notify:
        declared["notify"] = notify_to_document(inventory.notify)
    return {
        "schema": SCHEMA,
        "cloud": inventory.cloud,
        "taken_at": inventory.taken_at.isoformat(),
        "cloud_conn_id": inventory.cloud_conn_id,
        "ssh_conn_id": inventory.ssh_conn_id,
        "nodes": [_node_to_document(node) for node in sorted(inventory.nodes, key=lambda node: node.host)],
        "extra": dict(sorted(inventory.extra.items())),
        **declared,
    }


def _node_to_document(node: InventoryNode) -> dict[str, Any]:
    versions = dict(sorted(node.versions.items())) or None
    known = _without_none({"part": node.part, "cell": node.cell, "versions": versions})
    return {"host": node.host, "domain": node.domain, "address": node.address, **known}


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
        if value is not None
    }


def inventory_from_document(document: object) -> Inventory:
    """Read an inventory from plain JSON data.

    :raises InvalidRequestError: names every fault with its path, such as ``nodes[0].address: is required``.
    """
    found = read_document(InventoryDocument, document)
    if isinstance(found, list):
        raise InvalidRequestError(say_faults(found))
    return Inventory(
        cloud=found.cloud,
        taken_at=found.taken_at,
        nodes=tuple(InventoryNode(**vars(node)) for node in found.nodes),
        cloud_conn_id=found.cloud_conn_id,
        ssh_conn_id=found.ssh_conn_id,
        extra=found.extra,
        aggregates=rules_of(found.aggregates),
        controller=controller_of(found.controller),
        power=power_of(found.power),
        alerts=alerts_of(found.alerts),
        dump=dump_of(found.dump),
        images=images_of(found.images),
        notify=notify_of(found.notify),
    )
