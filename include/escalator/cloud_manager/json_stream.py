"""Reads one JSON object from a stream, member by member and its long lists item by item.

``json.load`` holds the text and all of its objects at once: ten times what a snapshot of a large cloud takes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from json import JSONDecodeError, JSONDecoder
from typing import TextIO

CHUNK = 1 << 18
"""Characters that are read at a time."""
_SPACE = " \t\n\r"
_AFTER_VALUE = f"{_SPACE},]}}:"
_CUT_OFF = "Unterminated string"
_DECODER = JSONDecoder()


def read_members(stream: TextIO, lists: Collection[str]) -> Iterator[tuple[str, object]]:
    """Read the members of the object that the stream holds, in their order.

    :param lists: names of members whose value, when it is a list, is given as an iterator: it has to be
        exhausted before the next member is asked for.
    :raises ValueError: it is no JSON object; names line and column.
    """
    text = _Text(stream)
    text.take("{")
    if not text.took("}"):
        while True:
            name = text.value()
            if not isinstance(name, str):
                raise text.error("a name in double quotes is expected")
            text.take(":")
            yield name, (_items(text) if name in lists and text.took("[") else text.value())
            if not text.took(","):
                break
        text.take("}")
    text.end()


def _items(text: _Text) -> Iterator[object]:
    if text.took("]"):
        return
    while True:
        yield text.value()
        if not text.took(","):
            break
    text.take("]")


class _Text:
    """The part of the stream that is looked at; what has been read is let go."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._held = ""
        self._at = 0
        self._lines = 0
        self._column = 0

    def took(self, character: str) -> bool:
        """Step over the next character other than space if it is this one."""
        if self._peek() != character:
            return False
        self._at += 1
        return True

    def take(self, character: str) -> None:
        """Step over the next character other than space.

        :raises ValueError: it is another one.
        """
        if not self.took(character):
            raise self.error(f"{character!r} is expected")

    def value(self) -> object:
        """Read the next value, whatever it is.

        :raises ValueError: there is none, or it is malformed.
        """
        self._peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._held, self._at)
            except JSONDecodeError as exc:
                if self._more():
                    continue  # it may only be cut off
                raise self.error(exc.msg, exc.pos) from exc
            complete = end < len(self._held) and self._held[end] in _AFTER_VALUE
            if complete or not self._more():  # a number that is cut off is another number
                self._at = end
                return value

    def end(self) -> None:
        """Refuse anything but space after the object.

        :raises ValueError: there is more.
        """
        if self._peek():
            raise self.error("nothing is expected here")

    def error(self, message: str, position: int | None = None) -> ValueError:
        """Make the error that names the place of a character in what is held."""
        position = self._at if position is None else position
        at_end = position >= len(self._held) or message.startswith(_CUT_OFF)
        if at_end and not self._more():
            return ValueError(f"it ends too early, at {self._place(position)}: {message}")
        return ValueError(f"{self._place(position)}: {message}")

    def _peek(self) -> str:
        while True:
            while self._at < len(self._held):
                if self._held[self._at] not in _SPACE:
                    return self._held[self._at]
                self._at += 1
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Hold more of the stream, twice as much of it when one value is long; tell whether there was any."""
        left = len(self._held) - self._at
        following = self._stream.read(max(CHUNK, left))
        if not following:
            return False
        self._lines, self._column = self._reached(self._at)
        self._held, self._at = self._held[self._at :] + following, 0
        return True

    def _reached(self, position: int) -> tuple[int, int]:
        lines = self._held.count("\n", 0, position)
        if not lines:
            return self._lines, self._column + position
        return self._lines + lines, position - self._held.rfind("\n", 0, position) - 1

    def _place(self, position: int) -> str:
        lines, column = self._reached(position)
        return f"line {lines + 1} column {column + 1}"
