"""Reads JSON objects key by key: every fault is noted with its path, and the reading goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

T = TypeVar("T")
Items = Sequence[str]
_REQUIRED: Final = object()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Fields:
    """One object of a document.

    For a value that is missing or wrong the fault is noted and something of the right type is returned:
    whoever made ``faults`` refuses the document in the end.

    :param source: the object; anything else is a fault.
    :param path: where it is, empty for the document itself.
    :param faults: takes the faults of the whole document.
    """

    def __init__(self, source: object, path: str, faults: list[str]) -> None:
        self._path = path
        self._faults = faults
        self._left: dict[str, Any] = {}
        if isinstance(source, Mapping):
            self._left = dict(source)
        else:
            self._fault("", "must be an object")

    def end(self) -> None:
        """Note every key that nobody has asked for."""
        for name in self._left:
            self._fault(name, "is not a known key")

    def text(self, name: str, default: object = _REQUIRED) -> str:
        """Read a string."""
        return self._read(name, default, "", "a string", lambda value: isinstance(value, str))

    def text_or_none(self, name: str) -> str | None:
        """Read a string or null; missing is null."""
        return None if self._absent(name) else self.text(name)

    def word(self, name: str, choices: Sequence[str], default: object = _REQUIRED) -> str:
        """Read one of the given words."""
        wanted = "one of " + ", ".join(choices)
        return self._read(name, default, choices[0], wanted, lambda value: value in choices)

    def word_or_none(self, name: str, choices: Sequence[str]) -> str | None:
        """Read one of the given words or null; missing is null."""
        return None if self._absent(name) else self.word(name, choices)

    def flag(self, name: str) -> bool:
        """Read true or false; missing is false."""
        return self._read(name, False, False, "true or false", lambda value: isinstance(value, bool))

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

    def amounts(self, name: str) -> dict[str, int]:
        """Read an object of whole numbers from 0 on; missing is empty."""
        return dict(self._read(name, {}, {}, "an object of whole numbers from 0 on", is_amounts))

    def mapping(self, name: str) -> dict[str, Fields]:
        """Read an object of objects; missing is empty."""
        found: dict[str, object] = self._read(name, {}, {}, "an object", is_object)
        path = self._at(name)
        return {key: Fields(value, f"{path}.{key}", self._faults) for key, value in found.items()}

    def items(self, name: str, default: object = _REQUIRED) -> Iterable[Fields]:
        """Read a list of objects."""
        found: Sequence[object] = self._read(name, default, (), "a list", is_list)
        path = self._at(name)
        return [Fields(value, f"{path}[{index}]", self._faults) for index, value in enumerate(found)]

    def _read(self, name: str, default: object, instead: T, wanted: str, good: Callable[[Any], bool]) -> T:
        value: Any = self._left.pop(name, default)
        if value is _REQUIRED:
            self._fault(name, "is missing")
            return instead
        if not good(value):
            self._fault(name, f"must be {wanted}")
            return instead
        found: T = value
        return found

    def _absent(self, name: str) -> bool:
        if self._left.get(name) is not None:
            return False
        self._left.pop(name, None)
        return True

    def _at(self, name: str) -> str:
        return ".".join(part for part in (self._path, name) if part)

    def _fault(self, name: str, what: str) -> None:
        self._faults.append(f"{self._at(name) or 'document'}: {what}")


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


def is_list(value: object) -> bool:
    """Tell whether it is a list."""
    return isinstance(value, (list, tuple))


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
