from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.backups.conftest import ARCHIVE, OF, SECRET, FakeNode, make_archive
from tests.builders import NOW

from escalator.backups import archive as reading
from escalator.backups import files
from escalator.backups.archive import DamagedBackupError
from escalator.backups.keeper import BackupKeeper, BackupOf
from escalator.backups.proving import delete_backup, prove_backup, read_manifest
from escalator.backups.store import BackupStore
from escalator.model.backup import BackupKind
from escalator.model.errors import (
    InvalidRequestError,
    NodeFaultError,
    NotFoundError,
    SupersededError,
    TransientError,
)
from escalator.system_support.backup.contents import BackupWish


def list_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_archive_is_stored_as_it_came_with_a_manifest_of_its_files(
    keeper: BackupKeeper, folder: Path
) -> None:
    record = keeper.save_node(OF, FakeNode(), BackupWish())
    archive, manifest = folder / f"lab/node-01/{OF.id}.tar.gz", folder / f"lab/node-01/{OF.id}.json"
    assert list_files(folder) == [str(path.relative_to(folder)) for path in (manifest, archive)]
    assert archive.read_bytes() == ARCHIVE
    assert record.sha256 == hashlib.sha256(ARCHIVE).hexdigest()
    assert record.size_bytes == len(ARCHIVE) + manifest.stat().st_size
    assert (record.kind, record.host, record.taken_at, record.url) == (
        BackupKind.NODE,
        "node-01",
        NOW,
        str(manifest),
    )
    document = json.loads(manifest.read_text())
    assert (document["schema"], document["id"], document["boot_id"]) == (
        "escalator.backup/1",
        OF.id,
        "the-boot",
    )
    assert document["packages"][0]["version"] == "3:33.0.2-1"
    nova = document["files"][0]
    assert (nova["path"], nova["mode"], nova["owner"]) == ("/etc/nova", "0640", "nova")
    assert nova["sha256"] == hashlib.sha256(SECRET).hexdigest()
    assert document["files"][2]["target"] == "nova"


def test_who_reads_the_folder_reads_no_secret_but_the_owner(keeper: BackupKeeper, folder: Path) -> None:
    record = keeper.save_node(OF, FakeNode(), BackupWish())
    modes = {path.stat().st_mode & 0o777 for path in folder.rglob("*")}
    assert modes == {0o600, 0o700}
    assert SECRET.decode() not in repr(record) + (folder / f"lab/node-01/{OF.id}.json").read_text()


def test_a_second_run_replaces_what_the_first_one_stored(keeper: BackupKeeper, folder: Path) -> None:
    first = keeper.save_node(OF, FakeNode(), BackupWish())
    assert keeper.save_node(OF, FakeNode(), BackupWish()) == first
    assert len(list_files(folder)) == 2


def test_another_run_or_node_or_installation_has_its_own(keeper: BackupKeeper) -> None:
    others = [
        replace(OF, run_id="run-2"),
        replace(OF, host="node-02"),
        replace(OF, installation="ef"),
        replace(OF, host=""),
    ]
    assert len({OF.id, *(other.id for other in others)}) == 5
    assert BackupOf(cloud="../x", campaign="", run_id="", bundle="", host="../../etc").folder == "x/etc"
    assert keeper.store.find_path(keeper.store.find_url("a/b")) == "a/b"


@pytest.mark.parametrize(
    ("node", "error"),
    [
        (FakeNode(exit_code=2), NodeFaultError),
        (FakeNode(fault=TransientError("the connection is lost")), TransientError),
        (FakeNode(archive=ARCHIVE[:-50]), DamagedBackupError),
        (FakeNode(archive=b"this is no archive" * 20), DamagedBackupError),
    ],
    ids=["tar", "connection", "cut-off", "no-archive"],
)
def test_nothing_is_left_of_a_backup_that_is_not_whole(
    keeper: BackupKeeper, folder: Path, node: FakeNode, error: type[Exception]
) -> None:
    with pytest.raises(error):
        keeper.save_node(OF, node, BackupWish())
    assert list_files(folder) == []


def test_what_the_store_gives_back_has_to_be_what_was_written(
    keeper: BackupKeeper, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that loses a bit between writing and reading back."""
    read = reading.BackupStore.read
    path = folder / f"lab/node-01/{OF.id}.tar.gz"

    def spoil(store: BackupStore, name: str) -> object:
        if name.endswith(".tar.gz"):
            path.write_bytes(ARCHIVE.replace(ARCHIVE[40:41], bytes([ARCHIVE[40] ^ 1]), 1))
        return read(store, name)

    monkeypatch.setattr(reading.BackupStore, "read", spoil)
    with pytest.raises(DamagedBackupError, match="its SHA-256 is another"):
        keeper.save_node(OF, FakeNode(), BackupWish())
    assert list_files(folder) == []


def test_a_backup_is_proved_again_at_any_time(keeper: BackupKeeper, folder: Path) -> None:
    record = keeper.save_node(OF, FakeNode(), BackupWish())
    assert prove_backup(keeper.store, record) == 2
    archive = folder / f"lab/node-01/{OF.id}.tar.gz"
    archive.write_bytes(ARCHIVE[:-1])
    with pytest.raises(DamagedBackupError):
        prove_backup(keeper.store, record)
    archive.unlink()
    with pytest.raises(NotFoundError, match="is not there"):
        prove_backup(keeper.store, record)
    manifest = folder / f"lab/node-01/{OF.id}.json"
    manifest.write_text(manifest.read_text() + " ")
    with pytest.raises(DamagedBackupError):
        read_manifest(keeper.store, record)
    delete_backup(keeper.store, record)
    delete_backup(keeper.store, record)
    assert list_files(folder) == []


def test_a_backup_in_another_store_is_named(keeper: BackupKeeper) -> None:
    record = keeper.save_node(OF, FakeNode(), BackupWish())
    elsewhere = replace(record, url="s3://bucket/x.json")
    with pytest.raises(InvalidRequestError, match="is not in"):
        prove_backup(keeper.store, elsewhere)


def test_a_document_of_the_cloud_has_no_archive(keeper: BackupKeeper) -> None:
    record = keeper.save_cloud(replace(OF, host=""), {"services": [{"host": "node-01"}]})
    assert (record.kind, record.host, record.sha256) == (BackupKind.CLOUD, "", "")
    assert prove_backup(keeper.store, record) == 0
    assert read_manifest(keeper.store, record)["services"] == [{"host": "node-01"}]


def test_who_was_superseded_replaces_nothing(keeper: BackupKeeper, folder: Path) -> None:
    first = keeper.save_node(OF, FakeNode(), BackupWish())

    def refuse() -> None:
        raise SupersededError("a newer attempt has begun")

    with pytest.raises(SupersededError):
        keeper.save_node(OF, FakeNode(archive=make_archive(nova=b"new")), BackupWish(), confirm=refuse)
    assert prove_backup(keeper.store, first) == 2
    assert len(list_files(folder)) == 2


def test_who_is_superseded_while_it_reads_back_leaves_what_the_newer_attempt_stored(
    keeper: BackupKeeper, folder: Path
) -> None:
    """It was slow: another one has stored its own archive over it meanwhile, and goes on to its manifest."""
    asked: list[int] = []

    def overtaken() -> None:
        asked.append(len(asked))
        if len(asked) > 1:
            raise SupersededError("a newer attempt has begun")

    with pytest.raises(SupersededError):
        keeper.save_node(OF, FakeNode(), BackupWish(), confirm=overtaken)
    assert [path.rpartition("/")[2] for path in list_files(folder)] == [f"{OF.id}.tar.gz"]


def test_an_archive_that_ends_anywhere_is_not_whole(keeper: BackupKeeper, folder: Path) -> None:
    record = keeper.save_node(OF, FakeNode(), BackupWish())
    for length in (0, 1, 2, 3, 9, 10, 50, len(ARCHIVE) - 1):
        (folder / f"lab/node-01/{OF.id}.tar.gz").write_bytes(ARCHIVE[:length])
        with pytest.raises(DamagedBackupError):
            prove_backup(keeper.store, record)


@pytest.mark.parametrize("fault", [TimeoutError("timed out"), EOFError()], ids=["time", "connection"])
def test_a_store_that_stops_answering_has_not_damaged_what_it_keeps(
    keeper: BackupKeeper, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    record = keeper.save_node(OF, FakeNode(), BackupWish())

    class Lost(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise fault

    opened = files.LocalFiles.open
    monkeypatch.setattr(
        files.LocalFiles,
        "open",
        lambda own, path: Lost() if path.endswith(".tar.gz") else opened(own, path),
    )
    with pytest.raises(TransientError, match="backups cannot be kept at"):
        prove_backup(keeper.store, record)
