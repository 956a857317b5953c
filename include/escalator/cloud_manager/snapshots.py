"""Snapshots as documents: ``escalator.snapshot/1``. What is written is read back the same."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TextIO

from escalator.cloud_manager.document_reader import Shared, SnapshotFields
from escalator.cloud_manager.json_stream import read_members
from escalator.cloud_manager.snapshot_items import (
    Document,
    write_agent,
    write_ha_group,
    write_migration,
    write_node,
    write_server,
    write_server_group,
)
from escalator.model.cloud import (
    CloudSnapshot,
    HaGroup,
    Migration,
    MigrationStatus,
    NetworkAgent,
    Node,
    ResourceInventory,
    Server,
    ServerGroup,
    ServiceState,
    ServiceStatus,
)
from escalator.model.digest import canonical
from escalator.model.errors import InvalidRequestError

SCHEMA = "escalator.snapshot/1"
HA_MODES = ("active-standby", "load-balanced", "none")
HA_ROLES = ("active", "standby", "member")
METHODS = ("live", "cold", "none")
_SHOWN_FAULTS = 20
_STATES, _STATUSES = tuple(ServiceState), tuple(ServiceStatus)
_MIGRATION_STATUSES = tuple(MigrationStatus)
_NO_METADATA: Mapping[str, str] = MappingProxyType({})


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
        with path.open(encoding="utf-8-sig") as stream:
            if path.is_file() and not path.stat().st_size:
                raise InvalidRequestError(f"snapshot {path} is empty", remedy=remedy)
            return _snapshot(read_members(stream, _READERS))
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
        raise _refused(["document: must be an object"])
    return _snapshot(
        (name, iter(value) if name in _READERS and isinstance(value, (list, tuple)) else value)
        for name, value in document.items()
    )


def _snapshot(members: Iterable[tuple[str, object]]) -> CloudSnapshot:
    """Put a snapshot together from the members of its document, lists as iterators."""
    faults: list[str] = []
    shared: Shared = {}
    head: dict[str, object] = {}
    lists: dict[str, list[Any]] = {}
    for name, value in members:
        if name in head or name in lists:
            faults.append(f"{name}: is there more than once")
        if name in _READERS and isinstance(value, Iterator):
            read = _READERS[name]
            lists[name] = [
                read(SnapshotFields(item, name, faults, index=index, shared=shared))
                for index, item in enumerate(value)
            ]
        elif name in _READERS:
            faults.append(f"{name}: must be a list")
        else:
            head[name] = value
    fields = SnapshotFields(head, "", faults)
    schema, cloud, taken_at = fields.text("schema"), fields.text("cloud"), fields.moment("taken_at")
    fields.end()
    if schema != SCHEMA:
        faults.append(f"schema: must be {SCHEMA}")
    if "nodes" not in lists and not any(fault.startswith("nodes: ") for fault in faults):
        faults.append("nodes: is missing")
    for name, key in (("nodes", "host"), ("servers", "id")):
        _refuse_doubles(name, [getattr(item, key) for item in lists.get(name, ())], faults)
    if faults:
        raise _refused(faults)
    lists["nodes"].sort(key=lambda node: node.host)
    lists.get("servers", []).sort(key=lambda server: (server.name, server.id))
    return CloudSnapshot(
        cloud=cloud, taken_at=taken_at, **{name: tuple(items) for name, items in lists.items()}
    )


def _refused(faults: list[str]) -> InvalidRequestError:
    more = f"; and {len(faults) - _SHOWN_FAULTS} more" if len(faults) > _SHOWN_FAULTS else ""
    return InvalidRequestError(
        f"the snapshot has {len(faults)} fault(s): " + "; ".join(faults[:_SHOWN_FAULTS]) + more,
        remedy=f"see {SCHEMA}",
    )


def _refuse_doubles(path: str, names: list[str], faults: list[str]) -> None:
    if len(set(names)) < len(names):
        doubles = sorted(name for name, times in Counter(names).items() if times > 1)
        faults.extend(f"{path}: {name!r} is there more than once" for name in doubles)


def _head(snapshot: CloudSnapshot) -> Document:
    return {"schema": SCHEMA, "cloud": snapshot.cloud, "taken_at": snapshot.taken_at.isoformat()}


def _lists(snapshot: CloudSnapshot) -> dict[str, Iterator[Document]]:
    return {
        "nodes": map(write_node, snapshot.nodes),
        "servers": map(write_server, snapshot.servers),
        "migrations": map(write_migration, snapshot.migrations),
        "server_groups": map(write_server_group, snapshot.server_groups),
        "ha_groups": map(write_ha_group, snapshot.ha_groups),
        "agents": map(write_agent, snapshot.agents),
    }


def _node(fields: SnapshotFields) -> Node:
    node = Node(
        host=fields.text("host"),
        domain=fields.common("domain"),
        cell=fields.text("cell", "cell1"),
        zone=fields.text("zone", "nova"),
        aggregates=tuple(fields.texts("aggregates", ())),
        service_id=fields.text_or_none("service_id"),
        hypervisor_hostname=fields.text_or_none("hypervisor_hostname"),
        provider_id=fields.text_or_none("provider_id"),
        state=ServiceState(fields.word("state", _STATES, "up")),
        status=ServiceStatus(fields.word("status", _STATUSES, "enabled")),
        disabled_reason=fields.text_or_none("disabled_reason"),
        forced_down=fields.flag("forced_down"),
        upgraded=fields.flag("upgraded"),
        target=fields.flag("target"),
        inventory={name: _inventory(item) for name, item in fields.mapping("inventory").items()},
        usage=fields.amounts("usage"),
        traits=fields.common_texts("traits"),
        versions=fields.words("versions"),
    )
    fields.end()
    return node


def _inventory(fields: SnapshotFields) -> ResourceInventory:
    item = ResourceInventory(
        total=fields.amount("total"),
        reserved=fields.amount("reserved", 0),
        allocation_ratio=fields.number("allocation_ratio", 1.0),
        max_unit=fields.amount_or_none("max_unit"),
    )
    fields.end()
    return item


def _server(fields: SnapshotFields) -> Server:
    server = Server(
        id=fields.text("id"),
        name=fields.text("name"),
        project_id=fields.common("project_id", ""),
        host=fields.common_or_none("host"),
        status=fields.common("status", ""),
        vm_state=fields.common("vm_state"),
        task_state=fields.common_or_none("task_state"),
        power_state=fields.common("power_state", "running"),
        locked=fields.flag("locked"),
        resources=fields.amounts("resources"),
        required_traits=fields.common_texts("required_traits"),
        pinned_zone=fields.common_or_none("pinned_zone"),
        migration=fields.word("migration", METHODS, "live"),
        server_group=fields.common_or_none("server_group"),
        ha_group=fields.common_or_none("ha_group"),
        ha_role=fields.word_or_none("ha_role", HA_ROLES),
        metadata=_NO_METADATA,
    )
    fields.end()
    return server


def _migration(fields: SnapshotFields) -> Migration:
    migration = Migration(
        id=fields.amount("id"),
        uuid=fields.text("uuid"),
        server_id=fields.text("server_id"),
        type=fields.text("type"),
        status=MigrationStatus(fields.word("status", _MIGRATION_STATUSES)),
        source_host=fields.text("source_host"),
        dest_host=fields.text_or_none("dest_host"),
        created_at=fields.moment("created_at"),
        updated_at=fields.moment_or_none("updated_at"),
    )
    fields.end()
    return migration


def _server_group(fields: SnapshotFields) -> ServerGroup:
    group = ServerGroup(
        id=fields.text("id"), policy=fields.text("policy"), members=tuple(fields.texts("members", ()))
    )
    fields.end()
    return group


def _ha_group(fields: SnapshotFields) -> HaGroup:
    group = HaGroup(
        id=fields.text("id"),
        mode=fields.word("mode", HA_MODES),
        members=tuple(fields.texts("members", ())),
        max_impacted=fields.amount_or_none("max_impacted"),
        min_preserved=fields.amount_or_none("min_preserved"),
        recovery_seconds=fields.number("recovery_seconds", 0.0),
        lead_seconds=fields.number("lead_seconds", 0.0),
    )
    fields.end()
    return group


def _agent(fields: SnapshotFields) -> NetworkAgent:
    agent = NetworkAgent(
        id=fields.text("id"),
        binary=fields.common("binary"),
        host=fields.common("host"),
        alive=fields.flag("alive"),
        admin_state_up=fields.flag("admin_state_up"),
    )
    fields.end()
    return agent


_READERS: Final[Mapping[str, Callable[[SnapshotFields], Any]]] = {
    "nodes": _node,
    "servers": _server,
    "migrations": _migration,
    "server_groups": _server_group,
    "ha_groups": _ha_group,
    "agents": _agent,
}
"""The lists of the document, and what reads one item of each."""
