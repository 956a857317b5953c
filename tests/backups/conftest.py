"""A store in a folder, and nodes whose archive is made here."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
from tests.builders import NOW

from escalator.backups.files import LocalFiles
from escalator.backups.keeper import BackupKeeper, BackupOf
from escalator.backups.store import BackupStore
from escalator.system_support.shell import CommandResult

SECRET = b"password = hunter2"
HEAD = "package\tnova-compute\t3:33.0.2-1\tall\tii \nboot\tthe-boot\n"


def make_archive(**files: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"etc/{name}")
            member.size, member.mode, member.uname = len(content), 0o640, "nova"
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("etc/link")
        link.type, link.linkname = tarfile.SYMTYPE, "nova"
        archive.addfile(link)
    return made.getvalue()


ARCHIVE = make_archive(nova=SECRET, neutron=b"x" * 5000)


@dataclass
class FakeNode:
    """A shell that answers the script of a backup as tar would."""

    archive: bytes = ARCHIVE
    host: str = "node-01"
    exit_code: int = 0
    asked: int = 0
    fault: Exception | None = None
    words: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def run_as_root(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        raise AssertionError(command, timeout_seconds)

    def stream_as_root(
        self, command: str, take: Callable[[bytes], None], timeout_seconds: float | None = None
    ) -> CommandResult:
        del timeout_seconds
        self.asked += 1
        mark = command.partition("tell archive ")[2].split("\n")[0]
        take(HEAD.encode() + f"archive\t{mark}\n".encode() + self.archive[:100])
        if self.fault is not None:
            raise self.fault
        take(self.archive[100:])
        return CommandResult(exit_code=self.exit_code, stdout="", stderr="tar: it hurts")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "store"
    place.mkdir()
    return place


@pytest.fixture
def store(folder: Path) -> BackupStore:
    return BackupStore(LocalFiles(folder), str(folder))


@pytest.fixture
def keeper(store: BackupStore) -> BackupKeeper:
    return BackupKeeper(store=store, clock=lambda: NOW)


OF = BackupOf(
    installation="abcd",
    cloud="lab",
    campaign="upgrade__lab",
    run_id="run-1",
    bundle="nova-34",
    host="node-01",
)
