"""A store of backups: files by their path in it, written under another name and moved once they are whole."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from escalator.backups.faults import tell_fault
from escalator.backups.files import PART, Files
from escalator.model.errors import EscalatorError, NotFoundError
from escalator.model.verdict import Code


class BackupStore:
    """Files below one root.

    What reads or writes raises TransientError where another try may mend it, else another EscalatorError.

    :ivar shown: its URL without credentials.
    """

    def __init__(self, files: Files, shown: str) -> None:
        self._files = files
        self.shown = shown

    def find_url(self, path: str) -> str:
        """Return the URL of a file, without credentials."""
        return f"{self.shown}/{path}"

    def find_path(self, url: str) -> str | None:
        """Return the path of a file in this store by its URL; None: it is in another one."""
        begin = f"{self.shown}/"
        return url.removeprefix(begin) if url.startswith(begin) else None

    def prove(self) -> None:
        """Write, read and delete a small file: the store can be used now."""
        path, word = f".escalator-{secrets.token_hex(6)}", secrets.token_bytes(16)
        with self.write(path) as put:
            put(word)
        with self.read(path) as source:
            found = source.read()
        self.delete(path)
        if found != word:
            raise EscalatorError(
                f"{self.shown} gives back something else than what was written",
                remedy="see what is behind it",
                code=Code.BACKUP_FAILED,
            )

    @contextmanager
    def write(self, path: str) -> Iterator[Callable[[bytes], None]]:
        """Give what writes a file; it is there, whole, once the block ends well, and else not at all.

        A file of that path is replaced then. Who writes the same at that moment is not disturbed before.
        """
        part = f"{path}.{secrets.token_hex(4)}{PART}"
        with self._telling():
            file = self._files.create(part)

        def put(data: bytes) -> None:
            with self._telling():
                file.write(data)

        try:
            yield put
            with self._telling():
                self._files.finish(file, part, path)
        except BaseException:
            with suppress(Exception):
                file.close()
            with suppress(Exception):
                self._files.remove(part)
            raise

    @contextmanager
    def read(self, path: str) -> Iterator[IO[bytes]]:
        """Open a file.

        :raises NotFoundError: it is not there.
        """
        try:
            file = self._files.open(path)
        except FileNotFoundError as exc:
            message = f"{self.find_url(path)} is not there"
            raise NotFoundError(message, code=Code.BACKUP_FAILED) from exc
        except Exception as exc:
            raise tell_fault(exc, self.shown) from exc
        try:
            with self._telling():
                yield file
        finally:
            with suppress(Exception):
                file.close()

    def delete(self, path: str) -> None:
        """Delete a file; one that is not there is no fault."""
        with self._telling(), suppress(FileNotFoundError):
            self._files.remove(path)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Tell what the file system's own errors mean."""
        try:
            yield
        except EscalatorError:
            raise
        except Exception as exc:
            raise tell_fault(exc, self.shown) from exc
