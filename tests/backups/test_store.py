from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from fsspec.registry import known_implementations
from tests.system_support.conftest import Sshd

from escalator.backups import files
from escalator.backups.address import find_store_url, hide_credentials
from escalator.backups.faults import tell_fault
from escalator.backups.files import FsspecFiles
from escalator.backups.opening import open_store
from escalator.backups.store import BackupStore
from escalator.model.errors import EscalatorError, InvalidRequestError, TransientError
from escalator.model.verdict import Code


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[Sshd]:
    home = tmp_path / "sshd"
    home.mkdir()
    server = Sshd(home=home, options={"Subsystem": "sftp internal-sftp"})
    server.prepare()
    server.start()
    yield server
    server.stop()


def test_a_store_is_proved_by_writing_and_reading(store: BackupStore, folder: Path) -> None:
    store.prove()
    assert list(folder.iterdir()) == []


def test_a_file_is_there_when_it_is_whole_and_not_before(store: BackupStore, folder: Path) -> None:
    def write(data: bytes, *, fail: bool = False) -> None:
        with store.write("a/b") as put:
            put(data)
            assert [path.suffix for path in (folder / "a").iterdir() if path.name != "b"] == [".part"]
            if fail:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(b"one", fail=True)
    assert not list((folder / "a").iterdir())
    write(b"one")
    with pytest.raises(KeyboardInterrupt):
        write(b"two", fail=True)
    assert (folder / "a/b").read_bytes() == b"one"


def test_what_a_killed_process_left_goes_after_a_day(store: BackupStore, folder: Path) -> None:
    for name, age in (("a.0.part", 2 * 86_400), ("a.1.part", 60)):
        (folder / name).write_text("left")
        os.utime(folder / name, (time.time() - age,) * 2)
    with store.write("a") as put:
        put(b"whole")
    assert sorted(path.name for path in folder.iterdir()) == ["a", "a.1.part"]


def test_two_who_write_the_same_do_not_mix_it(store: BackupStore, folder: Path) -> None:
    with store.write("a") as one:
        one(b"half of ")
        with store.write("a") as other:
            other(b"other")
        assert (folder / "a").read_bytes() == b"other"
        one(b"one")
    assert (folder / "a").read_bytes() == b"half of one"


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "not-mounted"))
    with pytest.raises(EscalatorError, match="there is no such folder") as fault:
        store.prove()
    assert not isinstance(fault.value, TransientError)
    assert fault.value.code is Code.BACKUP_FAILED
    assert not (tmp_path / "not-mounted").exists()


def test_a_folder_without_room_is_refused_before_a_byte(
    store: BackupStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LEAST_FREE_BYTES", 1 << 60)
    with pytest.raises(EscalatorError, match="MiB left"):
        store.prove()
    assert list(folder.iterdir()) == []


def test_a_disk_that_fills_while_it_is_written_leaves_nothing(store: BackupStore, folder: Path) -> None:
    def fill() -> None:
        with store.write("a"):
            raise tell_fault(OSError(errno.ENOSPC, "No space left on device"), store.shown)

    with pytest.raises(EscalatorError, match="No space left"):
        fill()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("backups", "the path is not absolute"),
        ("file://backups", "the path is not absolute"),
        ("nosuch://x/y", "nosuch is no protocol of a store"),
        ("memory://x", "memory is no protocol of a store"),
        ("https://x/y", "https is no protocol of a store"),
        ("simplecache::s3://x/y", "is no protocol of a store"),
        ("sftp:///path", "it names no host"),
    ],
)
def test_a_url_that_can_be_no_store_is_refused(url: str, why: str) -> None:
    with pytest.raises(InvalidRequestError, match=why):
        open_store(url)


def test_a_package_that_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(known_implementations, "lacks", {"class": "no_such_module.Fs"})
    with pytest.raises(InvalidRequestError, match="a package lacks"):
        open_store("lacks://x/y")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/srv/backups", "/srv/backups"),
        ("s3://bucket/path", "s3://bucket/path"),
        ("sftp://me:w@rd@host:22/path", "sftp://host:22/path"),
        ("abfs://c@account/path?sas=secret", "abfs://account/path"),
    ],
)
def test_credentials_are_not_shown(url: str, shown: str) -> None:
    assert hide_credentials(url) == shown


def test_an_empty_variable_is_none() -> None:
    assert find_store_url({}) is None
    assert find_store_url({"ESCALATOR_BACKUP_URL": " "}) is None
    assert find_store_url({"ESCALATOR_BACKUP_URL": "/a"}) == "/a"


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), False),
        (OSError(errno.EROFS, "Read-only file system"), False),
        (OSError(errno.EIO, "Input/output error"), True),
        (ConnectionResetError("reset"), True),
        (TimeoutError(), True),
        (RuntimeError("503 Slow down"), True),
        (RuntimeError("An error occurred (403) Forbidden"), False),
    ],
)
def test_trouble_that_may_pass_is_told_from_what_lasts(error: Exception, *, passes: bool) -> None:
    fault = tell_fault(error, "s3://bucket")
    assert isinstance(fault, TransientError) is passes
    assert fault.code is Code.BACKUP_FAILED


def test_a_password_in_an_error_is_not_passed_on() -> None:
    assert "hunter2" not in str(tell_fault(RuntimeError("login me:hunter2 failed"), "x", secret="hunter2"))


def test_any_file_system_will_do() -> None:
    store = BackupStore(FsspecFiles(fsspec.filesystem("memory"), "/bucket", has_folders=False), "x://bucket")
    store.prove()
    for word in (b"one", b"two"):
        with store.write("a/b") as put:
            put(word)
        with store.read("a/b") as file:
            assert file.read() == word
    store.delete("a/b")


def test_over_sftp_with_a_host_key_that_is_known(
    sftp: Sshd, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = sftp.target()
    monkeypatch.setenv("HOME", str(folder.parent))
    ssh = folder.parent / ".ssh"
    ssh.mkdir()
    url = f"sftp://{target.user}@127.0.0.1:{sftp.port}{folder}"
    monkeypatch.setitem(fsspec.config.conf, "sftp", {"key_filename": str(target.key_file)})
    with pytest.raises(EscalatorError, match="is not in"):
        open_store(url)
    (ssh / "known_hosts").write_bytes((sftp.home / "known_hosts").read_bytes())
    store = open_store(url)
    store.prove()
    for word in (b"one", b"two"):
        with store.write("lab/node-01/a") as put:
            put(word)
    file = folder / "lab/node-01/a"
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"two", 0o600)
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert store.shown == f"sftp://127.0.0.1:{sftp.port}{folder}"
