"""A backup: what was saved off a node, or of a cloud, before a campaign changed it, and where it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

SCHEMA = "escalator.backup/1"
"""The document beside an archive, which says what is in it."""
ANOTHER_BACKUP = "name another backup (escalator backups list), or bring the node back by hand"
"""What to do where a backup cannot be put back."""


class BackupKind(StrEnum):
    """What a backup is of."""

    NODE = "node"
    CLOUD = "cloud"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRecord:
    """A backup that was taken and read back. Times are aware; nothing of its content is here.

    :ivar id: names it in the store and for people; of one run and node there is one.
    :ivar host: nova-compute service host; empty: it is of the cloud.
    :ivar bundle: what the campaign was about to bring.
    :ivar size_bytes: of what is stored, the manifest included.
    :ivar sha256: of the archive; empty: there is none, the manifest is all.
    :ivar manifest_sha256: of the manifest, as it is stored.
    :ivar url: of the manifest, without credentials; the archive is beside it.
    :ivar verified_at: when it was last read back and found whole.
    """

    id: str
    kind: BackupKind
    cloud: str
    campaign: str
    run_id: str
    bundle: str
    taken_at: datetime
    size_bytes: int
    manifest_sha256: str
    url: str
    verified_at: datetime
    host: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreOf:
    """The backup that a restore puts back on its node, and when it was taken (aware)."""

    backup: str
    taken_at: datetime
