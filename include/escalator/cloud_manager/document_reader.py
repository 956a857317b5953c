"""Reads JSON objects key by key: every fault is noted with its path, and the reading goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from escalator.model.cloud import EMPTY

T = TypeVar("T")
Shared = dict[Any, Any]
Items = Sequence[str]
_REQUIRED: Final = object()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SnapshotFields:
    """One object of a document.

    For a value that is missing or wrong the fault is noted and something of the right type is returned:
    whoever made ``faults`` refuses the document in the end.

    :param source: the object; anything else is a fault.
    :param path: where it is, empty for the document itself.
    :param faults: takes the faults of the whole document.
    :param index: place in the list that ``path`` names; None: it is in none.
    :param shared: texts and amounts that objects have in common: equal ones are kept once.
    """

    __slots__ = ("_asked", "_faults", "_index", "_path", "_shared", "_source")

    def __init__(
        self,
        source: object,
        path: str,
        faults: list[str],
        *,
        index: int | None = None,
        shared: Shared | None = None,
    ) -> None:
        self._path = path
        self._index = index
        self._faults = faults
        self._shared = {} if shared is None else shared
        self._asked: list[str] = []
        self._source: Mapping[str, Any] = {}
        if isinstance(source, Mapping):
            self._source = source
        else:
            self._fault("", "must be an object")

    def end(self) -> None:
        """Note every key that nobody has asked for."""
        if len(self._asked) < len(self._source):
            for name in self._source.keys() - frozenset(self._asked):
                self._fault(name, "is not a known key")

    def text(self, name: str, default: object = _REQUIRED) -> str:
        """Read a string."""
        return self._read(name, default, "", "a string", is_text)

    def text_or_none(self, name: str) -> str | None:
        """Read a string or null; missing is null."""
        return None if self._absent(name) else self.text(name)

    def common(self, name: str, default: object = _REQUIRED) -> str:
        """Read a string that many objects have: equal ones are kept once."""
        found = self.text(name, default)
        return self._shared.setdefault(found, found)  # type: ignore[no-any-return]

    def common_or_none(self, name: str) -> str | None:
        """Read a string that many objects have, or null; missing is null."""
        return None if self._absent(name) else self.common(name)

    def word(self, name: str, choices: Sequence[str], default: object = _REQUIRED) -> str:
        """Read one of the given words."""
        value = self._value(name, default)
        for choice in choices:
            if choice == value:
                return choice
        if value is not _REQUIRED:
            self._fault(name, "must be one of " + ", ".join(choices))
        return choices[0]

    def word_or_none(self, name: str, choices: Sequence[str]) -> str | None:
        """Read one of the given words or null; missing is null."""
        return None if self._absent(name) else self.word(name, choices)

    def flag(self, name: str) -> bool:
        """Read true or false; missing is false."""
        return self._read(name, False, False, "true or false", is_flag)

    def amount(self, name: str, default: object = _REQUIRED) -> int:
        """Read a whole number from 0 on."""
        return self._read(name, default, 0, "a whole number from 0 on", is_amount)

    def amount_or_none(self, name: str) -> int | None:
        """Read a whole number from 0 on, or null; missing is null."""
        return None if self._absent(name) else self.amount(name)

    def number(self, name: str, default: object = _REQUIRED) -> float:
        """Read a number from 0 on."""
        return float(self._read(name, default, 0.0, "a number from 0 on", is_number))

    def moment(self, name: str) -> datetime:
        """Read a time with its offset: ``2026-11-22T08:00:00Z``."""
        text = self._read(name, _REQUIRED, _EPOCH.isoformat(), "a time with its offset", is_moment)
        return datetime.fromisoformat(text)

    def moment_or_none(self, name: str) -> datetime | None:
        """Read a time with its offset, or null; missing is null."""
        return None if self._absent(name) else self.moment(name)

    def texts(self, name: str, default: object = _REQUIRED) -> Sequence[str]:
        """Read a list of strings."""
        return self._read(name, default, (), "a list of strings", is_texts)

    def words(self, name: str) -> dict[str, str]:
        """Read an object of strings; missing is empty."""
        return dict(self._read(name, {}, {}, "an object of strings", is_words))

    def amounts(self, name: str) -> Mapping[str, int]:
        """Read an object of whole numbers from 0 on; missing is empty."""
        found: Mapping[str, int] = self._read(
            name, EMPTY, EMPTY, "an object of whole numbers from 0 on", is_amounts
        )
        key = tuple(found.items())
        return self._shared.setdefault(key, found)  # type: ignore[no-any-return]

    def common_texts(self, name: str) -> frozenset[str]:
        """Read a list of strings, as a set, that many objects have; missing is empty."""
        found = frozenset(self.texts(name, ()))
        return self._shared.setdefault(found, found)  # type: ignore[no-any-return]

    def mapping(self, name: str) -> dict[str, SnapshotFields]:
        """Read an object of objects; missing is empty."""
        found: dict[str, object] = self._read(name, {}, {}, "an object", is_object)
        path = self._at(name)
        return {
            key: SnapshotFields(value, f"{path}.{key}", self._faults, shared=self._shared)
            for key, value in found.items()
        }

    def _value(self, name: str, default: object) -> Any:  # noqa: ANN401 - what stands in a document
        value = self._source.get(name, _REQUIRED)
        if value is not _REQUIRED:
            self._asked.append(name)
            return value
        if default is _REQUIRED:
            self._fault(name, "is missing")
        return default

    def _read(self, name: str, default: object, instead: T, wanted: str, good: Callable[[Any], bool]) -> T:
        value: Any = self._value(name, default)
        if value is _REQUIRED:
            return instead
        if not good(value):
            self._fault(name, f"must be {wanted}")
            return instead
        found: T = value
        return found

    def _absent(self, name: str) -> bool:
        if self._source.get(name) is not None:
            return False
        if name in self._source:
            self._asked.append(name)
        return True

    def _at(self, name: str) -> str:
        path = self._path if self._index is None else f"{self._path}[{self._index}]"
        return ".".join(part for part in (path, name) if part)

    def _fault(self, name: str, what: str) -> None:
        self._faults.append(f"{self._at(name) or 'document'}: {what}")


def is_text(value: object) -> bool:
    """Tell whether it is a string."""
    return isinstance(value, str)


def is_flag(value: object) -> bool:
    """Tell whether it is true or false."""
    return isinstance(value, bool)


def is_amount(value: object) -> bool:
    """Tell whether it is a whole number from 0 on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_number(value: object) -> bool:
    """Tell whether it is a finite number from 0 on."""
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    return numeric and math.isfinite(value) and value >= 0  # type: ignore[arg-type, operator]


def is_object(value: object) -> bool:
    """Tell whether it is an object."""
    return isinstance(value, Mapping)


def is_moment(value: object) -> bool:
    """Tell whether it is a time with its offset."""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def is_texts(value: object) -> bool:
    """Tell whether it is a list of strings."""
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)


def is_words(value: object) -> bool:
    """Tell whether it is an object of strings."""
    return isinstance(value, Mapping) and is_texts([*value.keys(), *value.values()])


def is_amounts(value: object) -> bool:
    """Tell whether it is an object of whole numbers from 0 on."""
    return isinstance(value, Mapping) and all(is_amount(item) for item in value.values())
