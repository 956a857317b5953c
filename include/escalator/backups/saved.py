"""A backup of a node as a restore needs it: proved, its manifest, and the bytes of its archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import IO, Any

from escalator.backups.address import find_store_url
from escalator.backups.archive import DamagedBackupError
from escalator.backups.proving import find_archive, find_place, prove_backup, read_manifest
from escalator.backups.store import BackupStore
from escalator.ledger.backup_book import BackupBook
from escalator.model.backup import ANOTHER_BACKUP, BackupRecord
from escalator.model.errors import InvalidRequestError, NotFoundError
from escalator.model.verdict import Code
from escalator.settings.places import BACKUP_VARIABLE


@contextmanager
def _for_good() -> Iterator[None]:
    """Say of a backup that is damaged, or gone, that it cannot be put back; it is not taken anew here."""
    try:
        yield
    except (DamagedBackupError, NotFoundError) as exc:
        raise InvalidRequestError(exc.message, remedy=ANOTHER_BACKUP, code=Code.BACKUP_FAILED) from exc


@dataclass(frozen=True, kw_only=True)
class SavedBackup:
    """One backup in the store of the environment; the store is opened when it is asked for something."""

    record: BackupRecord
    store: BackupStore | None = None

    @property
    def id(self) -> str:
        """Return its id."""
        return self.record.id

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of its archive."""
        return self.record.sha256

    def prove(self) -> None:
        """Read all of it and compare every checksum.

        :raises InvalidRequestError: it is not whole, or not there: another attempt mends nothing.
        :raises TransientError: its store does not answer.
        """
        with _for_good():
            prove_backup(self._open(), self.record)

    def read_manifest(self) -> Mapping[str, Any]:
        """Read what is in it; raises as :meth:`prove` does."""
        with _for_good():
            return read_manifest(self._open(), self.record)

    def open_archive(self) -> AbstractContextManager[IO[bytes]]:
        """Open its archive, to be read once from its begin to its end."""
        store = self._open()
        return store.read(find_archive(find_place(store, self.record)))

    def _open(self) -> BackupStore:
        from escalator.backups.opening import open_store  # noqa: PLC0415  (fsspec: who restores needs it)

        url = find_store_url()
        if self.store is None and url is None:
            raise InvalidRequestError(
                f"{BACKUP_VARIABLE} is not set", remedy="set it for the workers", code=Code.BACKUP_FAILED
            )
        return self.store if self.store is not None else open_store(str(url))


def find_saved(book: BackupBook, backup_id: str) -> SavedBackup:
    """Return a backup by its id.

    :raises InvalidRequestError: the ledger has none of it.
    """
    record = book.find(backup_id)
    if record is None:
        raise InvalidRequestError(f"there is no backup {backup_id}", remedy="see escalator backups list")
    return SavedBackup(record=record)
