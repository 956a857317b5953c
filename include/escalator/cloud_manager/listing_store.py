"""Keeps the listing of a cloud for the next process: each step of a node is one, and would list every server.

A file that our user alone can read, beside the tokens, in memory where there is some. What cannot be read, or
is of another release, is as if it were not there: the whole listing is read then.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from escalator.cloud_manager import listing as listings
from escalator.cloud_manager import records, server_needs
from escalator.cloud_manager.listing import Listing
from escalator.cloud_manager.server_needs import MARKED_PCI_VARIABLE
from escalator.cloud_manager.tokens import TokenCache, make_file_name
from escalator.model import cloud

SAVED_AFTER = timedelta(minutes=1)
"""A listing that is so much newer than the stored one takes its place: fewer changes to ask for."""
TURN_SECONDS = 180.0
"""How long another process is waited for that reads the whole listing."""
_POLL_SECONDS = 0.2
_HEAD = 4096
"""Bytes in which the head of a file is, compressed or not."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class ListingStore:
    """One file for each cloud and set of credentials.

    :param path: the file; its folder is ours alone.
    :param sleep: waits that many seconds.
    """

    path: Path
    sleep: Callable[[float], None] = time.sleep
    _saved: Any = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], auth: Any, place: str) -> ListingStore | None:  # noqa: ANN401
        """Take the folder of the tokens; none where tokens are not kept either.

        :param auth: a keystoneauth plugin: who asks sees other servers than somebody else.
        :param place: tells apart the regions of a cloud.
        """
        tokens, secret = TokenCache.from_environment(environment), auth.get_cache_id()
        if tokens is None or secret is None or not tokens.is_ours():
            return None
        name = hashlib.sha256(f"{make_file_name(secret)}/{place}".encode()).hexdigest()[:32]
        return cls(path=tokens.folder / f"{name}.listing")

    def load(self) -> Listing | None:
        """Return what is stored; None: nothing that can be used."""
        try:
            text = zlib.decompress(self.path.read_bytes())
            release, _, body = text.split(b"\n", 2)
            if release.decode() != _name_release():
                return None
            listing: Listing = _adapter().validate_json(body)
        except (OSError, zlib.error, ValueError) as exc:
            log.debug("no listing in %s: %s", self.path, exc)
            return None
        self._saved = listing.read_at
        return listing

    def save(self, listing: Listing, *, always: bool) -> None:
        """Store a listing, or leave it: one that is not stored is read again.

        One that comes from an older whole listing than the one there stays out: what another process found
        to be wrong, and listed anew, does not come back.

        :param always: also when the one there is hardly older.
        """
        recent = self._saved is not None and listing.read_at - self._saved < SAVED_AFTER
        if not always and (recent or self._has_newer(listing)):
            return
        head = f"{_name_release()}\n{listing.whole_at.isoformat()}\n"
        text = head.encode() + _adapter().dump_json(listing)
        with contextlib.suppress(OSError):
            descriptor, draft = tempfile.mkstemp(dir=self.path.parent)  # mode 0600
            with os.fdopen(descriptor, "wb") as file:
                file.write(zlib.compress(text, level=1))
            Path(draft).replace(self.path)
            self._saved = listing.read_at

    def _has_newer(self, listing: Listing) -> bool:
        """Tell whether a listing is stored that was whole later; only the head of it is read."""
        try:
            with self.path.open("rb") as file:
                head = zlib.decompressobj().decompress(file.read(_HEAD), _HEAD)
            release, whole_at, _ = head.split(b"\n", 2)
            newer = datetime.fromisoformat(whole_at.decode()) > listing.whole_at
        except (OSError, zlib.error, ValueError):
            return False
        return newer and release.decode() == _name_release()

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Let one process at a time read the whole listing; who has waited too long goes on all the same."""
        try:
            file = self.path.with_suffix(".lock").open("wb")
        except OSError:
            yield
            return
        with file:
            until = time.monotonic() + TURN_SECONDS
            while not _took(file.fileno()) and time.monotonic() < until:
                self.sleep(_POLL_SECONDS)
            yield


def _took(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@cache
def _adapter() -> Any:  # noqa: ANN401 - a pydantic adapter
    from pydantic import TypeAdapter  # noqa: PLC0415 - 0.2 s that a small cloud does not need

    return TypeAdapter(Listing)


def _name_release() -> str:
    """Name what a listing holds: another release, or setting, may say more, or less, of a server."""
    return hashlib.sha256(f"{_read_code()} {os.environ.get(MARKED_PCI_VARIABLE)}".encode()).hexdigest()


@cache
def _read_code() -> str:
    """Return a digest of the code that makes a server and a migration of Nova's records, as it is on disk."""
    read = hashlib.sha256()
    for module in (cloud, listings, records, server_needs):
        with contextlib.suppress(OSError):
            read.update(Path(str(module.__file__)).read_bytes())
    return read.hexdigest()
