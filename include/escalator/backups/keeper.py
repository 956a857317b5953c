"""Takes backups: of a node, whose archive goes to the store as it comes, or a document of the cloud."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from escalator.backups.archive import Digest, read_archive, read_whole
from escalator.backups.store import BackupStore
from escalator.model.backup import SCHEMA, BackupKind, BackupRecord
from escalator.model.errors import EscalatorError
from escalator.system_support.backup.contents import BackupWish
from escalator.system_support.backup.reading import NodeGave, read_node
from escalator.system_support.shell import StreamingShell

ARCHIVE, MANIFEST = ".tar.gz", ".json"
_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupOf:
    """Which backup it is: of what, for which run. Of the same there is one, whoever takes it again.

    :ivar installation: whose run it is; :ivar host: empty for the cloud.
    """

    cloud: str
    campaign: str
    run_id: str
    bundle: str
    installation: str = ""
    host: str = ""

    @property
    def id(self) -> str:
        """Return its id: the node's name, and a digest of the rest."""
        words = [self.installation, self.cloud, self.campaign, self.run_id, self.host]
        digest = hashlib.sha256(json.dumps(words).encode()).hexdigest()[:_DIGITS]
        return f"{_plain(self.host) or 'cloud'}-{digest}"

    @property
    def folder(self) -> str:
        """Return its folder in the store."""
        return f"{_plain(self.cloud) or 'cloud'}/{_plain(self.host) or '_cloud'}"


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)[:100].lstrip(".-")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupKeeper:
    """Takes backups to one store."""

    store: BackupStore
    clock: Callable[[], datetime]

    def save_node(
        self,
        of: BackupOf,
        shell: StreamingShell,
        wish: BackupWish,
        *,
        confirm: Callable[[], None] = lambda: None,
    ) -> BackupRecord:
        """Take a node's backup, and read it back. A second run replaces what the first one stored.

        :param confirm: raises when another has taken over, whose files must not be replaced any more.
        :raises TransientError: the node or the store does not answer.
        :raises EscalatorError: the node cannot give it, or the store cannot keep it.
        """
        taken_at, digest = self.clock(), Digest()
        path = f"{of.folder}/{of.id}{ARCHIVE}"
        with self.store.write(path) as put:

            def pass_on(data: bytes) -> None:
                digest.add(data)
                put(data)

            gave = read_node(shell, wish, pass_on)
            confirm()
        try:
            files = read_archive(self.store, path, digest.sha256)
            archive = {"name": f"{of.id}{ARCHIVE}", "size": digest.size, "sha256": digest.sha256}
            told = {**_describe(gave), "archive": archive, "files": files}
            return self._write_manifest(of, BackupKind.NODE, taken_at, told, confirm=confirm)
        except EscalatorError:
            confirm()  # what another has stored there by now is not ours to delete
            with suppress(EscalatorError):
                self.store.delete(path)
            raise

    def save_cloud(self, of: BackupOf, content: Mapping[str, Any]) -> BackupRecord:
        """Keep a document of the cloud, and read it back. A second run replaces what the first one stored.

        :raises TransientError: the store does not answer.
        :raises EscalatorError: it cannot keep it.
        """
        return self._write_manifest(of, BackupKind.CLOUD, self.clock(), content)

    def _write_manifest(
        self,
        of: BackupOf,
        kind: BackupKind,
        taken_at: datetime,
        content: Mapping[str, Any],
        *,
        confirm: Callable[[], None] = lambda: None,
    ) -> BackupRecord:
        head = {"schema": SCHEMA, "id": of.id, "kind": str(kind), "taken_at": _write_time(taken_at)}
        named = {**asdict(of), **head}
        data = (json.dumps({**named, **content}, indent=1, default=str) + "\n").encode()
        path, sha256 = f"{of.folder}/{of.id}{MANIFEST}", hashlib.sha256(data).hexdigest()
        with self.store.write(path) as put:
            put(data)
            confirm()
        read_whole(self.store, path, sha256)
        archive = content.get("archive") or {"size": 0, "sha256": ""}
        return BackupRecord(
            id=of.id,
            kind=kind,
            cloud=of.cloud,
            host=of.host,
            campaign=of.campaign,
            run_id=of.run_id,
            bundle=of.bundle,
            taken_at=taken_at,
            size_bytes=len(data) + int(archive["size"]),
            sha256=str(archive["sha256"]),
            manifest_sha256=sha256,
            url=self.store.find_url(path),
            verified_at=self.clock(),
        )


def _describe(gave: NodeGave) -> dict[str, Any]:
    return {**asdict(gave.told), "warnings": list(gave.warnings)}


def _write_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
