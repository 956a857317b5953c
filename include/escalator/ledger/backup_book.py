"""The backups that were taken and read back; every method is one short transaction."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from escalator.ledger.database import Database
from escalator.ledger.retention import find_need
from escalator.ledger.rows import find_campaign, insert_or_update
from escalator.ledger.tables import BackupRow
from escalator.model.backup import BackupKind, BackupRecord


class BackupBook:
    """The backups of a ledger; made by ``Ledger.backups()``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, backup: BackupRecord) -> None:
        """Record a backup; one of the same id is replaced, as its files were."""
        values = {
            "id": backup.id,
            "kind": backup.kind.value,
            "cloud": backup.cloud,
            "host": backup.host,
            "campaign": backup.campaign,
            "run_id": backup.run_id,
            "bundle": backup.bundle,
            "taken_at": backup.taken_at,
            "size_bytes": backup.size_bytes,
            "sha256": backup.sha256,
            "manifest_sha256": backup.manifest_sha256,
            "url": backup.url,
            "verified_at": backup.verified_at,
        }
        with self._database.writing() as rows:
            insert_or_update(rows, BackupRow, values, key=("id",))

    def find(self, backup_id: str) -> BackupRecord | None:
        """Return a backup by its id; None: there is none."""
        return next(iter(self._read(BackupRow.id == backup_id)), None)

    def of_run(self, campaign: str, run_id: str) -> tuple[BackupRecord, ...]:
        """Return the backups of a run, the newest first."""
        return self._read(BackupRow.campaign == campaign, BackupRow.run_id == run_id)

    def list_all(self, cloud: str | None = None, host: str | None = None) -> tuple[BackupRecord, ...]:
        """Return all backups, or those of a cloud or a node, the newest first."""
        wanted = {BackupRow.cloud: cloud, BackupRow.host: host}
        return self._read(*(column == value for column, value in wanted.items() if value is not None))

    def note_verified(self, backup_id: str, at: datetime) -> None:
        """Note that a backup was read back and found whole."""
        with self._database.writing() as rows:
            rows.execute(sa.update(BackupRow).where(BackupRow.id == backup_id).values(verified_at=at))

    def forget(self, backup_id: str) -> None:
        """Forget a backup; its files are gone."""
        with self._database.writing() as rows:
            rows.execute(sa.delete(BackupRow).where(BackupRow.id == backup_id))

    def find_need(self, campaign: str, run_id: str) -> str:
        """Return why a run, and so its backups, is still needed; empty: it is not."""
        with self._database.reading() as rows:
            run = find_campaign(rows, campaign, run_id)
            return "" if run is None else find_need(rows, run.id, campaign, run_id, run.cloud)

    def _read(self, *which: sa.ColumnElement[bool]) -> tuple[BackupRecord, ...]:
        query = sa.select(BackupRow).where(*which).order_by(BackupRow.taken_at.desc(), BackupRow.id)
        with self._database.reading() as rows:
            return tuple(_read_row(row) for row in rows.scalars(query))


def _read_row(row: BackupRow) -> BackupRecord:
    return BackupRecord(
        id=row.id,
        kind=BackupKind(row.kind),
        cloud=row.cloud,
        host=row.host,
        campaign=row.campaign,
        run_id=row.run_id,
        bundle=row.bundle,
        taken_at=row.taken_at,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        manifest_sha256=row.manifest_sha256,
        url=row.url,
        verified_at=row.verified_at,
    )
