"""Files that a person named: folders and devices are refused, pipes read while somebody writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from escalator.documents import plain_file
from escalator.documents.plain_file import open_file, read_file
from escalator.documents.yaml_lines import read_yaml
from escalator.model.errors import InvalidRequestError


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(plain_file, "WRITER_SECONDS", 0.0)
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_a_file_and_a_link_to_one_are_read_in_their_encoding(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes("\ufeffä".encode())
    (tmp_path / "link").symlink_to(file)
    assert read_file(tmp_path / "link", "utf-8-sig") == "ä"
    with open_file(file) as stream:
        assert stream.read() == "\ufeffä"
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "absent")


def test_a_folder_a_device_and_a_pipe_without_a_writer_are_refused(tmp_path: Path, pipe: Path) -> None:
    for path, what in (
        (tmp_path, "it is a folder, not a file"),
        (Path("/dev/zero"), "it is a device, not a file"),
        (pipe, "it is a pipe that nobody writes into"),
    ):
        with pytest.raises(OSError, match="it is a") as refused:
            open_file(path)
        assert refused.value.strerror == what
        with pytest.raises(InvalidRequestError) as said:
            read_yaml(path)
        assert str(said.value) == f"{path} cannot be read: {what} -> name a file that can be read"


def test_what_somebody_writes_into_a_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"a: 1\n")
    os.close(writing)
    assert read_file(Path(f"/dev/fd/{reading}")) == "a: 1\n"
    os.close(reading)


def test_a_pipe_whose_writer_is_silent_or_has_no_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, b"much")
        monkeypatch.setattr(plain_file, "PIPE_BYTES", 3)
        with pytest.raises(OSError, match="more than 3 bytes"):
            read_file(Path(f"/dev/fd/{reading}"))
        monkeypatch.setattr(plain_file, "PIPE_SECONDS", -1.0)
        with pytest.raises(OSError, match="whose writer has not ended"):
            read_file(Path(f"/dev/fd/{reading}"))
    finally:
        os.close(reading)
        os.close(writing)
