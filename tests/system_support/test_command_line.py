from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalator.system_support.command_line import (
    MAX_OUTPUT_BYTES,
    FramedOutput,
    FramedStream,
    write_command_line,
)

MARK = "4d41524b"


@pytest.mark.parametrize(
    ("user", "password", "begins", "stdin"),
    [
        ("root", None, "/bin/sh -c ", ""),
        ("root", "secret", "/bin/sh -c ", ""),
        ("ops", None, "sudo -n -- /bin/sh -c ", ""),
        ("ops", "secret", "sudo -S -p '' -- /bin/sh -c ", "secret\n"),
    ],
)
def test_one_privilege_for_every_command(user: str, password: str | None, begins: str, stdin: str) -> None:
    line = write_command_line("echo 'a b'", user=user, password=password, mark=MARK)
    assert line.text.startswith(begins)
    assert line.stdin == stdin
    assert "secret" not in line.text + repr(line)


@pytest.mark.parametrize("login", ["sh", "bash"])
@pytest.mark.parametrize(
    "command", ["echo 'it'\\''s'; exit 4", "printf '%s' \"$0 $1\"; exit 4", "trap 'exit 4' EXIT; echo a"]
)
def test_a_command_comes_back_as_it_ended(login: str, command: str) -> None:
    alone = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=False)
    line = write_command_line(command, user="root", password=None, mark=MARK)
    done = subprocess.run([login, "-c", line.text], capture_output=True, check=False)
    stdout = FramedOutput(MARK)
    stdout.take(b"banner" + done.stdout + b"farewell")
    assert (stdout.begun, stdout.text, done.returncode) == (True, alone.stdout.decode(), 4)


@given(
    before=st.binary(max_size=50),
    own=st.binary(max_size=50),
    after=st.binary(max_size=50),
    step=st.integers(1, 60),
)
def test_what_stands_between_the_marks_is_the_commands(
    before: bytes, own: bytes, after: bytes, step: int
) -> None:
    sent = before + f"{MARK}(\n".encode() + own + f"){MARK}\n".encode() + after
    if MARK.encode() in before + own:
        return
    stream = FramedOutput(MARK)
    for at in range(0, len(sent), step):
        stream.take(sent[at : at + step])
    assert (stream.begun, stream.text) == (True, own.decode(errors="replace"))


def test_a_command_that_did_not_begin_leaves_what_the_login_printed() -> None:
    stream = FramedOutput(MARK)
    stream.take(b"x" * 100_000 + b"This account is currently not available.\n")
    assert not stream.begun
    assert stream.text.endswith("not available.\n")
    assert len(stream.text) < 20_000


@pytest.mark.parametrize("length", [MAX_OUTPUT_BYTES - 1, MAX_OUTPUT_BYTES, MAX_OUTPUT_BYTES + 5])
def test_output_is_kept_up_to_the_limit(length: int) -> None:
    stream = FramedOutput(MARK)
    stream.take(f"{MARK}(\n".encode() + b"y" * length + f"){MARK}\n".encode())
    assert stream.text == "y" * min(length, MAX_OUTPUT_BYTES)


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_a_stream_passes_on_what_stands_between_its_marks_in_whatever_pieces_it_comes(piece: int) -> None:
    content, got = bytes(range(256)) * 20 + b")ab", bytearray()
    stream = FramedStream("abcd", got.extend)
    whole = b"Welcome!\nabcd(\n" + content + b")abcd\nGood-bye\n"
    for at in range(0, len(whole), piece):
        stream.take(whole[at : at + piece])
    assert (bytes(got), stream.begun, stream.text) == (content, True, "")


def test_a_stream_that_does_not_begin_keeps_what_the_login_said() -> None:
    stream = FramedStream("abcd", bytearray().extend)
    stream.take(b"sudo: a password is required\n")
    assert (stream.begun, stream.text) == (False, "sudo: a password is required\n")
