"""Opens what a person named as a file: a folder or a device is no file, and a pipe must have a writer.

Whoever opens a pipe waits for its writer, and whoever reads a device may wait for ever: a command that hangs
says nothing. Pipes that are written into stay possible, such as ``/dev/stdin`` and ``<(...)`` of a shell.
"""

from __future__ import annotations

import errno
import io
import os
import select
import stat
import time
from pathlib import Path
from typing import TextIO

WRITER_SECONDS = 5.0
"""How long somebody may take to begin to write into a pipe."""
PIPE_SECONDS = 600.0
"""How long a pipe may take that somebody writes into: a cloud that is read meanwhile, for instance."""
PIPE_BYTES = 2**30
_PIECE = 2**16
_PAUSE_SECONDS = 0.05


def open_file(path: Path, encoding: str = "utf-8") -> TextIO:
    """Open a file, or read a pipe to its end.

    :raises OSError: it cannot be opened, or is no file; its ``strerror`` is made for people.
    """
    kind = path.stat().st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISFIFO(kind)):
        raise _refuse(path, f"it is {_name_kind(kind)}, not a file")
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(kind):
        return os.fdopen(descriptor, encoding=encoding)
    with os.fdopen(descriptor, "rb", buffering=0) as pipe:
        return io.StringIO(_read_pipe(path, pipe).decode(encoding))


def read_file(path: Path, encoding: str = "utf-8") -> str:
    """Read a file, or a pipe, to its end; raises what :func:`open_file` does, and UnicodeDecodeError."""
    with open_file(path, encoding) as stream:
        return stream.read()


def _read_pipe(path: Path, pipe: io.RawIOBase) -> bytes:
    """Read until all writers have closed a pipe."""
    found = bytearray()
    begun, poll = time.monotonic(), select.poll()
    poll.register(pipe.fileno(), select.POLLIN)
    while True:
        piece = pipe.read(_PIECE)  # None: there is a writer, and nothing to read; empty: there is none
        waited = time.monotonic() - begun
        if piece:
            found += piece
            if len(found) > PIPE_BYTES:
                raise _refuse(path, f"it is a pipe with more than {PIPE_BYTES} bytes")
        elif piece is None and waited > PIPE_SECONDS:
            raise _refuse(path, f"it is a pipe whose writer has not ended within {PIPE_SECONDS:g} s")
        elif piece is None:
            poll.poll(1000)
        elif found or poll.poll(0):  # they have closed it
            return bytes(found)
        elif waited > WRITER_SECONDS:
            raise _refuse(path, "it is a pipe that nobody writes into")
        else:
            time.sleep(_PAUSE_SECONDS)


def _name_kind(kind: int) -> str:
    if stat.S_ISDIR(kind):
        return "a folder"
    return "a socket" if stat.S_ISSOCK(kind) else "a device"


def _refuse(path: Path, words: str) -> OSError:
    return OSError(errno.EINVAL, words, str(path))
