"""The order of RPM packages, as rpm's own ``rpmvercmp`` and ``labelCompare`` have it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

_PARTS = re.compile(r"~|\^|[0-9]+|[A-Za-z]+")
_RANKS = {"~": 0, "^": 2}
"""A tilde sorts below the end of a text, a caret above it."""
_END, _LETTERS, _DIGITS = 1, 3, 4

_Key = tuple[tuple[int, int, str], ...]


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class RpmVersion:
    """An RPM package's version, ``[epoch:]version[-release]``, in the order of rpm."""

    text: str

    def __eq__(self, other: object) -> bool:
        """Tell whether rpm holds both for the same version: ``1.0`` is ``0:1.0``."""
        return isinstance(other, RpmVersion) and self._key() == other._key()

    def __lt__(self, other: object) -> bool:
        """Order as rpm does."""
        if not isinstance(other, RpmVersion):
            return NotImplemented
        return self._key() < other._key()

    def __hash__(self) -> int:
        """Hash what rpm compares."""
        return hash(self._key())

    def _key(self) -> tuple[int, _Key, _Key]:
        epoch, colon, rest = self.text.partition(":")
        version, _, release = (rest if colon else self.text).partition("-")
        return (int(epoch) if colon and epoch.isdecimal() else 0, _rank(version), _rank(release))


def _rank(text: str) -> _Key:
    """Cut a text into parts that compare as rpm compares them: numbers above letters, above the end."""
    parts = []
    for part in _PARTS.findall(text):
        if part in _RANKS:
            parts.append((_RANKS[part], 0, ""))
        elif part.isdigit():
            parts.append((_DIGITS, int(part), ""))
        else:
            parts.append((_LETTERS, 0, part))
    return (*parts, (_END, 0, ""))
