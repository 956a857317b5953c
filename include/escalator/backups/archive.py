"""What is in an archive, read from where it is stored: each file with its checksum, nothing unpacked."""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import dataclass
from typing import IO, Any

from escalator.backups.store import BackupStore
from escalator.model.errors import EscalatorError
from escalator.model.verdict import Code

_CHUNK = 1 << 20


class DamagedBackupError(EscalatorError):
    """What was stored is not what was written, or is no backup."""


@dataclass(slots=True)
class Digest:
    """The checksum and size of what goes by."""

    size: int = 0
    _sum: Any = None

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self._sum = hashlib.sha256()

    def add(self, data: bytes) -> None:
        """Add what goes by."""
        self.size += len(data)
        self._sum.update(data)

    @property
    def sha256(self) -> str:
        """Return the SHA-256 so far, in hexadecimal digits."""
        return str(self._sum.hexdigest())


class _Watched:
    """A file that is read from its begin to its end, and summed.

    :ivar broken: why the store does not give it any more: that says nothing of what is in it.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = Digest()
        self.broken: Exception | None = None

    def read(self, size: int = _CHUNK) -> bytes:
        try:
            data = self._file.read(size)
        except Exception as exc:
            self.broken = exc
            raise
        self.digest.add(data)
        return data


def read_archive(store: BackupStore, path: str, sha256: str) -> list[dict[str, Any]]:
    """Read an archive to its end; return what is in it: each file with size, mode, owner and checksum.

    :param sha256: what it has to be.
    :raises DamagedBackupError: it is another, or no whole ``tar.gz``.
    :raises NotFoundError: it is not there.
    :raises TransientError: the store does not give all of it now.
    """
    with store.read(path) as file:
        watched = _Watched(file)
        fault, files = None, []
        try:
            with tarfile.open(mode="r|gz", fileobj=watched) as archive:  # type: ignore[call-overload]
                files = [_describe(archive, member) for member in archive]
        except Exception as exc:  # noqa: BLE001 - of what is spoilt tarfile and gzip raise what they meet
            fault = exc
        if watched.broken is not None:
            raise watched.broken
        while watched.read():
            pass
    if watched.digest.sha256 != sha256:
        raise make_damage(store, path, "it is not what was written: its SHA-256 is another")
    if fault is not None:
        raise make_damage(store, path, f"it is no whole archive: {fault}")
    return files


def read_whole(store: BackupStore, path: str, sha256: str) -> bytes:
    """Read a small file, the manifest.

    :raises DamagedBackupError: it is not what was written.
    :raises NotFoundError: it is not there.
    """
    with store.read(path) as file:
        data = file.read()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise make_damage(store, path, "it is not what was written: its SHA-256 is another")
    return data


def make_damage(store: BackupStore, path: str, why: str) -> DamagedBackupError:
    """Say what is wrong with a file of the store."""
    return DamagedBackupError(
        f"{store.find_url(path)}: {why}",
        remedy="see what happens to files there; what was not upgraded yet is saved again by another attempt",
        code=Code.BACKUP_FAILED,
    )


def _describe(archive: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, Any]:
    row: dict[str, Any] = {
        "path": f"/{member.name}",
        "mode": f"{member.mode:04o}",
        "owner": member.uname or str(member.uid),
        "group": member.gname or str(member.gid),
    }
    if member.issym():
        return {**row, "type": "link", "target": member.linkname}
    if member.isdir():
        return {**row, "type": "folder"}
    if not member.isreg():
        return {**row, "type": "other"}
    digest, file = Digest(), archive.extractfile(member)
    while file is not None and (data := file.read(_CHUNK)):
        digest.add(data)
    if digest.size != member.size:
        raise tarfile.ReadError(f"{member.name} is cut off")
    return {**row, "type": "file", "size": digest.size, "sha256": digest.sha256}
