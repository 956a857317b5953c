"""Opens the store that a URL names: a folder of this machine, or whatever fsspec knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fsspec
from fsspec.core import url_to_fs

from escalator.backups.address import hide_credentials
from escalator.backups.faults import tell_fault
from escalator.backups.files import FsspecFiles, LocalFiles
from escalator.backups.known_hosts import KnownHostsOnly
from escalator.backups.store import BackupStore
from escalator.model.errors import InvalidRequestError
from escalator.model.verdict import Code
from escalator.settings.places import BACKUP_VARIABLE

CONNECT_SECONDS = 30
ANSWER_SECONDS = 60.0
_LOCAL = frozenset({"file", "local"})
_OVER_SSH = frozenset({"sftp", "ssh"})
_WITH_FOLDERS = frozenset({*_OVER_SSH, "smb", "ftp", "webdav"})
_NO_STORE = frozenset({"memory", "http", "https", "data", "zip", "tar", "git", "github", "libarchive"})
"""Protocols of fsspec's that keep nothing, or not for others."""
REMEDY = f"correct {BACKUP_VARIABLE}: an absolute path, or a URL such as sftp://host/path or s3://bucket/path"


def open_store(url: str) -> BackupStore:
    """Open the store that a URL names; whether it can be written is seen when it is.

    :raises InvalidRequestError: it is no URL of a store, or its protocol needs a package that lacks.
    :raises EscalatorError: the store refuses the log-in.
    :raises TransientError: it does not answer.
    """
    shown = hide_credentials(url)
    scheme = url.partition("://")[0].lower() if "://" in url else "file"
    if "::" in url or scheme in _NO_STORE or scheme not in fsspec.available_protocols():
        raise _refuse(shown, f"{scheme} is no protocol of a store")
    if scheme in _LOCAL:
        path = url.partition("://")[2] or url
        if not path.startswith("/"):
            raise _refuse(shown, "the path is not absolute")
        return BackupStore(LocalFiles(Path(path)), path.rstrip("/"))
    options: dict[str, Any] = {"skip_instance_cache": True}
    if scheme in _OVER_SSH:
        if not urlsplit(url).hostname:
            raise _refuse(shown, "it names no host")
        options |= {"host_key_policy": KnownHostsOnly(), "timeout": CONNECT_SECONDS}
    else:
        options |= {"use_listings_cache": False}
    try:
        found, root = url_to_fs(url, **options)
    except ImportError as exc:
        raise _refuse(shown, f"a package lacks: {exc}") from exc
    except Exception as exc:
        raise tell_fault(exc, shown, secret=urlsplit(url).password) from exc
    if scheme in _OVER_SSH:
        found.ftp.get_channel().settimeout(ANSWER_SECONDS)  # fsspec sets none: it would wait for ever
    files = FsspecFiles(found, str(root).rstrip("/"), has_folders=scheme in _WITH_FOLDERS)
    return BackupStore(files, shown.rstrip("/"))


def _refuse(shown: str, why: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"no backups can be kept at {shown}: {why}", remedy=REMEDY, code=Code.BACKUP_FAILED
    )
