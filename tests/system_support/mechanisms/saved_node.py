"""A backup of a node that is made in memory."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from escalator.model.errors import EscalatorError


@dataclass
class Saved:
    """A backup in memory."""

    files: Mapping[str, bytes]
    links: Mapping[str, str]
    id: str = "node-01-abc"
    packages: Sequence[Mapping[str, str]] = ()
    fault: EscalatorError | None = None
    archive: bytes = field(init=False)

    def __post_init__(self) -> None:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w:gz") as archive:
            for folder in sorted({str(Path(path).parent).lstrip("/") for path in self.files}):
                member = tarfile.TarInfo(folder)
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(member)
            for path, content in self.files.items():
                member = tarfile.TarInfo(path.lstrip("/"))
                member.size, member.mode = len(content), 0o640
                archive.addfile(member, io.BytesIO(content))
        self.archive = made.getvalue()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.archive).hexdigest()

    def prove(self) -> None:
        if self.fault is not None:
            raise self.fault

    def read_manifest(self) -> Mapping[str, Any]:
        rows = [
            {"path": path, "type": "file", "sha256": hashlib.sha256(content).hexdigest()}
            for path, content in self.files.items()
        ]
        return {
            "taken_at": "2026-11-29T01:00:00Z",
            "files": rows,
            "links": self.links,
            "packages": self.packages,
        }

    def open_archive(self) -> AbstractContextManager[IO[bytes]]:
        return nullcontext(io.BytesIO(self.archive))
