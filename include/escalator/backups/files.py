"""The files of a store: in a folder of this machine by the system's own means, elsewhere by fsspec."""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Protocol, cast

from escalator.model.errors import EscalatorError
from escalator.model.verdict import Code

LEAST_FREE_BYTES = 64 << 20
"""Room that a folder must have before anything is written to it."""
PART = ".part"
"""How the name of a file ends that is being written."""
_STALE_SECONDS = 86_400.0
_FILE_MODE, _FOLDER_MODE = 0o600, 0o700


class Files(Protocol):
    """Files by their path below a root; errors are the file system's own."""

    def create(self, path: str) -> IO[bytes]:
        """Open a file to be written, and the folders above it; only its owner may read it."""

    def finish(self, file: IO[bytes], path: str, whole: str) -> None:
        """Close a file that is written, and give it its name; one that has it is replaced."""

    def open(self, path: str) -> IO[bytes]:
        """Open a file to be read."""

    def remove(self, path: str) -> None:
        """Remove a file; raises FileNotFoundError when it is not there."""


class LocalFiles:
    """A folder of this machine; it must have some room."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def create(self, path: str) -> IO[bytes]:
        """Open a file of mode 0600, in folders of mode 0700."""
        place = self._root / path
        if not self._root.is_dir():  # a folder made here would be beside what was to be mounted
            raise FileNotFoundError(errno.ENOENT, "there is no such folder: make it, or mount it")
        for folder in reversed(place.relative_to(self._root).parents[:-1]):
            (self._root / folder).mkdir(mode=_FOLDER_MODE, exist_ok=True)
        self._see_room()
        _sweep(place.parent)
        return os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE), "wb")

    def _see_room(self) -> None:
        room = os.statvfs(self._root)
        free = room.f_bavail * room.f_frsize
        if free < LEAST_FREE_BYTES:
            raise EscalatorError(
                f"{self._root} has {free >> 20} MiB left for backups, {LEAST_FREE_BYTES >> 20} are needed",
                remedy="make room there: escalator backups prune; then clear the node's admit task",
                code=Code.BACKUP_FAILED,
            )

    def finish(self, file: IO[bytes], path: str, whole: str) -> None:
        """See that it is on the disk, then rename it."""
        file.flush()
        os.fsync(file.fileno())
        file.close()
        (self._root / path).replace(self._root / whole)

    def open(self, path: str) -> IO[bytes]:
        """Open a file to be read."""
        return (self._root / path).open("rb")

    def remove(self, path: str) -> None:
        """Remove a file."""
        (self._root / path).unlink()


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed left half written; who writes for so long has hung."""
    for path in folder.glob(f"*{PART}"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink()


class FsspecFiles:
    """Files of any file system of fsspec's.

    :param root: where they begin in it, without a slash at its end.
    :param has_folders: they are in folders, which have to be made; elsewhere a name may hold slashes.
    """

    def __init__(
        self,
        found: Any,  # noqa: ANN401  (fsspec has no types)
        root: str,
        *,
        has_folders: bool,
    ) -> None:
        self._found = found
        self._root = root
        self._has_folders = has_folders

    def create(self, path: str) -> IO[bytes]:
        """Open a file; over SFTP with the modes of a local one, elsewhere as the store gives them."""
        place = f"{self._root}/{path}"
        folder, sftp = place.rpartition("/")[0], getattr(self._found, "ftp", None)
        if sftp is None:
            if self._has_folders:
                self._found.makedirs(folder, exist_ok=True)
            return cast("IO[bytes]", self._found.open(place, "wb"))
        if not self._found.isdir(self._root):
            raise FileNotFoundError(errno.ENOENT, "there is no such folder: make it")
        self._found.makedirs(folder, exist_ok=True, mode=_FOLDER_MODE)
        file = self._found.open(place, "wb")
        sftp.chmod(place, _FILE_MODE)
        return cast("IO[bytes]", file)

    def finish(self, file: IO[bytes], path: str, whole: str) -> None:
        """Close it, and move it."""
        file.close()
        if not hasattr(self._found, "ftp"):  # SFTP renames over what is there
            with suppress(FileNotFoundError):
                self._found.rm(f"{self._root}/{whole}")
        self._found.mv(f"{self._root}/{path}", f"{self._root}/{whole}")

    def open(self, path: str) -> IO[bytes]:
        """Open a file to be read."""
        return cast("IO[bytes]", self._found.open(f"{self._root}/{path}", "rb"))

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._found.rm(f"{self._root}/{path}")
