"""Snapshots as documents: ``escalator.snapshot/1``. What is written is read back the same."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from escalator.cloud_manager.json_stream import read_members
from escalator.cloud_manager.snapshot_items import (
    Document,
    write_agent,
    write_control_plane,
    write_ha_group,
    write_migration,
    write_node,
    write_server,
    write_server_group,
    write_unread,
)
from escalator.cloud_manager.snapshot_models import ITEMS, SCHEMA, SnapshotDocument
from escalator.documents.document_model import read_document
from escalator.documents.faults import Fault, say_faults
from escalator.documents.plain_file import open_file
from escalator.documents.wording import show_value
from escalator.model.cloud import CloudSnapshot
from escalator.model.control_plane import ControlPlane
from escalator.model.digest import canonical
from escalator.model.errors import InvalidRequestError
from escalator.model.unread import Unread

_SHOWN_FAULTS = 20
_DOUBLE = "is there more than once"


def snapshot_to_document(snapshot: CloudSnapshot) -> Document:
    """Write a snapshot as plain JSON data: sorted as the snapshot is, sets sorted, times in UTC's offset."""
    lists = {name: list(items) for name, items in _lists(snapshot).items()}
    return {**_head(snapshot), **lists}


def write_snapshot(snapshot: CloudSnapshot, stream: TextIO) -> None:
    """Write a snapshot as JSON, one line for each node, server and group."""
    stream.write("{")
    stream.write(",\n ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in _head(snapshot).items()))
    for name, items in _lists(snapshot).items():
        stream.write(f",\n {json.dumps(name)}: [")
        stream.writelines(f"{',' if index else ''}\n  {json.dumps(item)}" for index, item in enumerate(items))
        stream.write("]")
    stream.write("}\n")


def compute_snapshot_digest(snapshot: CloudSnapshot) -> str:
    """Return the digest of the snapshot's document, as :func:`compute_digest` does, with little memory.

    How its file was spelt, and which keys that have defaults it left out, makes no difference.
    """
    parts = {name: iter((canonical(value),)) for name, value in _head(snapshot).items()}
    parts |= {name: _canonical_list(items) for name, items in _lists(snapshot).items()}
    digest = hashlib.sha256()
    for index, name in enumerate(sorted(parts)):
        digest.update(f"{',' if index else '{'}{canonical(name)}:".encode())
        for part in parts[name]:
            digest.update(part.encode())
    digest.update(b"}")
    return digest.hexdigest()


def _canonical_list(items: Iterable[Document]) -> Iterator[str]:
    yield "["
    for index, item in enumerate(items):
        yield f"{',' if index else ''}{canonical(item)}"
    yield "]"


def read_snapshot(path: Path) -> CloudSnapshot:
    """Read a snapshot file: item by item, so that a large cloud takes the memory of its objects only.

    :raises InvalidRequestError: it cannot be read, is no JSON, or has faults: each is named with its path.
    """
    remedy = "write one with `escalator snapshot --cloud NAME -o FILE`"
    try:
        with open_file(path, "utf-8-sig") as stream:
            if path.is_file() and not path.stat().st_size:
                raise InvalidRequestError(f"snapshot {path} is empty", remedy=remedy)
            return _snapshot(read_members(stream, ITEMS))
    except OSError as exc:
        reason = exc.strerror or "it is no plain file"
        raise InvalidRequestError(f"snapshot {path} cannot be read: {reason}", remedy=remedy) from exc
    except UnicodeDecodeError as exc:
        raise InvalidRequestError(
            f"snapshot {path} is no JSON: it is no text in UTF-8 at byte {exc.start}", remedy=remedy
        ) from exc
    except (ValueError, RecursionError) as exc:
        raise InvalidRequestError(f"snapshot {path} is no JSON: {exc}", remedy=remedy) from exc


def snapshot_from_document(document: Mapping[str, Any]) -> CloudSnapshot:
    """Read a snapshot; a key that is left out takes its default, one that is not known is refused.

    :raises InvalidRequestError: names every fault with its path, such as ``nodes[3].inventory.VCPU.total``.
    """
    if not isinstance(document, Mapping):
        raise _refused([Fault((), f"must be a mapping, not {show_value(document)}")])
    return _snapshot(
        (name, iter(value) if name in ITEMS and isinstance(value, (list, tuple)) else value)
        for name, value in document.items()
    )


def _snapshot(members: Iterable[tuple[str, object]]) -> CloudSnapshot:
    """Put a snapshot together from the members of its document, lists as iterators."""
    faults: list[Fault] = []
    shared: dict[object, object] = {}
    document: dict[str, object] = {}
    for name, value in members:
        if name in document:
            faults.append(Fault((name,), _DOUBLE))
        if name in ITEMS and isinstance(value, Iterator):
            document[name] = _read_items(name, value, faults, shared)
        else:
            document[name] = value
    found = read_document(SnapshotDocument, document)
    if isinstance(found, list) or faults:
        raise _refused([*faults, *(found if isinstance(found, list) else ())])
    lists = {name: getattr(found, name) for name in ITEMS}
    lists["nodes"].sort(key=lambda node: node.host)
    lists["servers"].sort(key=lambda server: (server.name, server.id))
    control = found.control_plane
    return CloudSnapshot(
        cloud=found.cloud,
        taken_at=found.taken_at,
        control_plane=ControlPlane(**vars(control)) if control is not None else None,
        unread=tuple(Unread(**vars(item)) for item in found.unread),
        **{name: tuple(items) for name, items in lists.items()},
    )


def _read_items(name: str, items: Iterator[object], faults: list[Fault], shared: object) -> list[object]:
    """Read one of the lists; an item that has faults is left out, and its faults are noted."""
    kind = ITEMS[name]
    found: list[object] = []
    keys: list[str] = []
    for index, item in enumerate(items):
        read = read_document(kind.model, item, asked=shared)
        if isinstance(read, list):
            faults.extend(fault._replace(at=(name, index, *fault.at)) for fault in read)
        else:
            found.append(kind.make(**vars(read)))
        key = item.get(kind.key) if kind.key and isinstance(item, Mapping) else None
        if isinstance(key, str):
            keys.append(key)
    if len(set(keys)) < len(keys):
        doubles = sorted(key for key, times in Counter(keys).items() if times > 1)
        faults.extend(Fault((name,), f"{show_value(key)} {_DOUBLE}") for key in doubles)
    return found


def _refused(faults: Sequence[Fault]) -> InvalidRequestError:
    return InvalidRequestError(
        f"the snapshot has {len(faults)} fault(s): {say_faults(faults, _SHOWN_FAULTS)}",
        remedy=f"see {SCHEMA}",
    )


def list_documents(snapshot: CloudSnapshot, name: str) -> list[Document]:
    """Return one of the lists of a snapshot as JSON data, by its name in the document."""
    return list(_lists(snapshot)[name])


def _head(snapshot: CloudSnapshot) -> Document:
    head: Document = {"schema": SCHEMA, "cloud": snapshot.cloud, "taken_at": snapshot.taken_at.isoformat()}
    if snapshot.control_plane is not None:
        head["control_plane"] = write_control_plane(snapshot.control_plane)
    if snapshot.unread:
        head["unread"] = list(map(write_unread, snapshot.unread))
    return head


def _lists(snapshot: CloudSnapshot) -> dict[str, Iterator[Document]]:
    return {
        "nodes": map(write_node, snapshot.nodes),
        "servers": map(write_server, snapshot.servers),
        "migrations": map(write_migration, snapshot.migrations),
        "server_groups": map(write_server_group, snapshot.server_groups),
        "ha_groups": map(write_ha_group, snapshot.ha_groups),
        "agents": map(write_agent, snapshot.agents),
    }
