"""Reads a backup back: it is whole, and what the ledger and its manifest say it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from escalator.backups.archive import make_damage, read_archive, read_whole
from escalator.backups.keeper import ARCHIVE, MANIFEST
from escalator.backups.store import BackupStore
from escalator.model.backup import SCHEMA, BackupRecord
from escalator.model.errors import InvalidRequestError


def find_place(store: BackupStore, record: BackupRecord) -> str:
    """Return the path of a backup's manifest in a store.

    :raises InvalidRequestError: it is in another store.
    """
    path = store.find_path(record.url)
    if path is None:
        raise InvalidRequestError(
            f"backup {record.id} is at {record.url}, which is not in {store.shown}",
            remedy="set ESCALATOR_BACKUP_URL to the store that has it",
        )
    return path


def read_manifest(store: BackupStore, record: BackupRecord) -> Mapping[str, Any]:
    """Read the manifest of a backup.

    :raises DamagedBackupError: it is not the one that was written.
    :raises NotFoundError: it is not there.
    """
    path = find_place(store, record)
    document = json.loads(read_whole(store, path, record.manifest_sha256))
    if document.get("schema") != SCHEMA:
        raise make_damage(store, path, f"it is of {document.get('schema')}, this release reads {SCHEMA}")
    return dict(document)


def prove_backup(store: BackupStore, record: BackupRecord) -> int:
    """Read all of a backup and compare every checksum; return the number of files in its archive.

    :raises DamagedBackupError: something of it is not what was written.
    :raises NotFoundError: something of it is not there.
    """
    manifest = read_manifest(store, record)
    if not record.sha256:
        return 0
    path = find_archive(find_place(store, record))
    files = read_archive(store, path, record.sha256)
    if files != manifest.get("files"):
        raise make_damage(store, path, "its files are not those that its manifest names")
    return sum(row["type"] == "file" for row in files)


def delete_backup(store: BackupStore, record: BackupRecord) -> None:
    """Delete the files of a backup, the manifest last; what is not there any more is no fault."""
    path = find_place(store, record)
    if record.sha256:
        store.delete(find_archive(path))
    store.delete(path)


def find_archive(manifest: str) -> str:
    """Return the path of the archive beside a manifest."""
    return f"{manifest.removesuffix(MANIFEST)}{ARCHIVE}"
