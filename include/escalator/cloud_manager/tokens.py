"""Keeps a token for the next process: the tasks of one node follow one another within seconds.

A file in memory (tmpfs), readable by our user alone and encrypted with a key made from the credentials: who
can read it has the password anyway. A token is reused while it is young, so that what is begun with it can
end: Nova goes on using the token of a migration until that has ended.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
import os
import stat
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

REUSED_FOR = timedelta(minutes=10)
"""The age up to which a token is taken again."""
LEFT_AT_LEAST = timedelta(minutes=30)
"""What must be left of its life then."""
_MEMORY = Path("/dev/shm")  # noqa: S108 - checked for its owner and mode before use
_SALT = b"escalator.tokens/1"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCache:
    """A folder of tokens, one file for each set of credentials.

    :param folder: made when it lacks; not used unless it is ours alone.
    """

    folder: Path
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> TokenCache | None:
        """Take the folder ``ESCALATOR_TOKEN_DIR`` (empty: no cache), else one in memory where that is."""
        chosen = environment.get("ESCALATOR_TOKEN_DIR")
        if chosen is not None:
            return cls(folder=Path(chosen)) if chosen else None
        return cls(folder=_MEMORY / f"escalator-{os.getuid()}") if _MEMORY.is_dir() else None

    def attach(self, auth: Any) -> None:  # noqa: ANN401 - a keystoneauth plugin of any kind
        """Give the plugin the token that is kept, if it is young, and keep those that it fetches."""
        secret = auth.get_cache_id()
        if secret is None or not self.is_ours():
            return
        name, key = _derive(secret)
        path = self.folder / name
        self._restore(auth, path, Fernet(key))
        fetch = auth.get_auth_ref

        def fetch_and_keep(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            auth.auth_ref = fetch(*args, **kwargs)
            self._keep(path, Fernet(key).encrypt(auth.get_auth_state().encode()))
            return auth.auth_ref

        forget = auth.invalidate

        def forget_and_go_on() -> bool:
            forget()
            return True  # else a thread that is refused while another one fetches the new token would give up

        auth.get_auth_ref, auth.invalidate = fetch_and_keep, forget_and_go_on

    def _restore(self, auth: Any, path: Path, box: Fernet) -> None:  # noqa: ANN401
        try:
            auth.set_auth_state(box.decrypt(path.read_bytes()).decode())
            now, access = self.clock(), auth.auth_ref
            young = now - access.issued <= REUSED_FOR and access.expires - now >= LEFT_AT_LEAST
        except (OSError, InvalidToken, ValueError, KeyError, TypeError):
            young = False
        if not young:
            auth.auth_ref = None

    def _keep(self, path: Path, content: bytes) -> None:
        """Write the file whole, or leave it: a token that is not kept is fetched again."""
        with contextlib.suppress(OSError):
            descriptor, draft = tempfile.mkstemp(dir=self.folder)  # mode 0600
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(draft).replace(path)

    def is_ours(self) -> bool:
        """See that the folder is there and ours alone."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.folder.lstat()
        except OSError:
            return False
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
        if not ours:
            log.warning("%s is not ours alone: tokens are not kept there", self.folder)
        return ours


def make_file_name(secret: str) -> str:
    """Return a file name for what belongs to credentials, which tells nothing of them."""
    return _derive(secret)[0]


@cache
def _derive(secret: str) -> tuple[str, bytes]:
    """Return a file name and a key that tell nothing of the credentials."""
    made = hashlib.scrypt(secret.encode(), salt=_SALT, n=2**14, r=8, p=1, dklen=48)
    return made[:16].hex(), base64.urlsafe_b64encode(made[16:])
