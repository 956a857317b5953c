"""The command line of a command on a node, and which part of what comes back is the command's own.

Every command goes through this one place, and so through the same privilege: it runs as root. A login may
print, too: what a ``.bashrc`` echoes, sudo's lecture, a word of farewell. What the command prints stands
between two marks on each stream that nobody can guess.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_OUTPUT_BYTES = 1 << 20
"""Bytes kept of what a command prints on one stream; the rest is dropped."""
_BEFORE_BYTES = 1 << 14
"""Bytes kept of what stands before the first mark: they say why a command does not begin."""
ROOT = "root"

_FRAME = """\
exec </dev/null
printf '%s(\\n' "$2"; printf '%s(\\n' "$2" >&2
/bin/sh -c "$1"; code=$?
printf ')%s\\n' "$2"; printf ')%s\\n' "$2" >&2
exit "$code\""""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """What the login shell is given, and what is written to it; the latter never shows in a repr."""

    text: str
    stdin: str = field(default="", repr=False)


def write_command_line(command: str, *, user: str, password: str | None, mark: str) -> CommandLine:
    """Write the command line that runs a POSIX sh command as root, without input, between marks.

    :param user: who logs in; another than root uses sudo.
    :param password: what sudo is told when it asks; None: it must not ask.
    :param mark: a word that nothing else prints.
    """
    framed = f"/bin/sh -c {shlex.quote(_FRAME)} sh {shlex.quote(command)} {shlex.quote(mark)}"
    if user == ROOT:
        return CommandLine(text=framed)
    if password is None:
        return CommandLine(text=f"sudo -n -- {framed}")
    return CommandLine(text=f"sudo -S -p '' -- {framed}", stdin=f"{password}\n")


@dataclass(slots=True)
class FramedOutput:
    """One stream as it comes in; of what stands between the marks at most MAX_OUTPUT_BYTES are kept."""

    mark: str
    begun: bool = False
    _kept: bytearray = field(default_factory=bytearray)

    def take(self, chunk: bytes) -> None:
        """Add what has come in."""
        if self.begun:
            self._kept += chunk[: self._limit - len(self._kept)]
            return
        self._kept += chunk
        begin = f"{self.mark}(\n".encode()
        at = self._kept.find(begin)
        if at >= 0:
            self.begun = True
            del self._kept[: at + len(begin)]
            del self._kept[self._limit :]
        else:
            del self._kept[:-_BEFORE_BYTES]

    @property
    def text(self) -> str:
        """Return what the command printed; of one that has not begun, what the login printed."""
        if not self.begun:
            return self._kept.decode(errors="replace")
        at = self._kept.find(self._end)
        own = self._kept[:at] if at >= 0 else self._kept[:MAX_OUTPUT_BYTES]
        return own.decode(errors="replace")

    @property
    def _end(self) -> bytes:
        return f"){self.mark}\n".encode()

    @property
    def _limit(self) -> int:
        return MAX_OUTPUT_BYTES + len(self._end)


@dataclass(slots=True)
class FramedStream:
    """One stream as it comes in, however long: what stands between the marks is passed on at once."""

    mark: str
    pass_on: Callable[[bytes], None]
    begun: bool = False
    _ended: bool = False
    _held: bytearray = field(default_factory=bytearray)

    def take(self, chunk: bytes) -> None:
        """Add what has come in; the few bytes that may be the begin of the last mark are held back."""
        if self._ended:
            return
        self._held += chunk
        if not self.begun:
            begin = f"{self.mark}(\n".encode()
            at = self._held.find(begin)
            if at < 0:
                del self._held[:-_BEFORE_BYTES]
                return
            self.begun = True
            del self._held[: at + len(begin)]
        end = f"){self.mark}\n".encode()
        at = self._held.find(end)
        self._ended = at >= 0
        ready = bytes(self._held[: at if self._ended else max(0, len(self._held) - len(end) + 1)])
        del self._held[: len(ready)]
        if ready:
            self.pass_on(ready)

    @property
    def text(self) -> str:
        """Return, of a command that has not begun, what the login printed; else nothing is kept."""
        return "" if self.begun else self._held.decode(errors="replace")
