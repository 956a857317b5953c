"""Backups in words, for the verb ``backups``; names, sizes and checksums only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from escalator.model.backup import BackupRecord

LIST_SCHEMA = "escalator.backups/1"
_STEP = 1024


def backup_to_row(record: BackupRecord) -> dict[str, Any]:
    """Return a backup as JSON data, times in UTC."""
    row = asdict(record)
    return {**row, "taken_at": _write(record.taken_at), "verified_at": _write(record.verified_at)}


def backups_to_document(records: Iterable[BackupRecord]) -> dict[str, Any]:
    """Return ``escalator.backups/1``."""
    return {"schema": LIST_SCHEMA, "backups": [backup_to_row(record) for record in records]}


def describe_backup(record: BackupRecord) -> str:
    """Say what a backup is on one line."""
    of = record.host or "the cloud"
    size = describe_size(record.size_bytes)
    return (
        f"{record.id}  {record.taken_at:%Y-%m-%d %H:%M}  {record.cloud}  {of}  {size}  "
        f"{record.bundle}, verified {record.verified_at:%Y-%m-%d %H:%M}"
    )


def describe_size(size: int) -> str:
    """Write a number of bytes for people."""
    value = float(size)
    for unit in ("B", "KiB", "MiB"):
        if value < _STEP:
            return f"{value:.{0 if unit == 'B' else 1}f} {unit}"
        value /= _STEP
    return f"{value:.1f} GiB"


def list_lines(record: BackupRecord, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Say what is in a backup, line by line; no content."""
    for name, value in backup_to_row(record).items():
        yield f"{name + ':':<17} {value}"
    yield from _list_told(manifest)
    for row in manifest.get("files", ()):
        if row["type"] == "file":
            owner = f"{row['owner']}:{row['group']}"
            yield f"  {row['mode']} {owner} {row['size']:>9} {row['sha256']} {row['path']}"
        elif row["type"] == "link":
            yield f"  link {row['path']} -> {row['target']}"


def _list_told(manifest: Mapping[str, Any]) -> Iterator[str]:
    if software := manifest.get("software"):
        yield f"{'software:':<17} {', '.join(f'{name} {version}' for name, version in software.items())}"
    if packages := manifest.get("packages"):
        lost = sum(package["source"] is None for package in packages)
        yield f"{'packages:':<17} {len(packages)}, {lost} of them in no source that the node has"
    for link, target in manifest.get("links", {}).items():
        yield f"{'link:':<17} {link} -> {target}"
    for warning in manifest.get("warnings", ()):
        yield f"{'warning:':<17} {warning}"


def _write(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
