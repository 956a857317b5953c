"""Read documents of unknown form key by key, collecting every fault with its path."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

_LONGEST = 60
"""Characters that a message shows of a value."""
_LARGEST = 10**9
"""Numbers from here on are taken for slips of the pen."""


def shown(value: object) -> str:
    """Write a value as JSON's reader knows it, short enough for a message."""
    if isinstance(value, bool | None):
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST else f"{value[:_LONGEST]}...")
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else f"a {type(value).__name__}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``, did you mean X?`` when a known word is near, else nothing."""
    near = difflib.get_close_matches(word[:_LONGEST], sorted(known), n=1)
    return f", did you mean {near[0]}?" if near else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """A mapping that is read key by key; each fault is added to ``faults`` with its path.

    A reader that found a fault returns the default, so that the reading goes on to the next fault.

    :ivar values: the mapping; empty when the document was none.
    :ivar faults: the list that all parts of one document share.
    :ivar path: where the mapping stands in the document, such as ``components[0]``.
    """

    values: Mapping[object, object]
    faults: list[str]
    path: str = ""

    @classmethod
    def of(cls, document: object, faults: list[str], *, path: str, keys: Collection[str] | None) -> Fields:
        """Look at a value as a mapping with these keys; None for ``keys`` leaves them to the caller."""
        if not isinstance(document, Mapping):
            faults.append(f"{path or 'document'}: must be a mapping, not {shown(document)}")
            return cls(values={}, faults=faults, path=path)
        fields = cls(values=document, faults=faults, path=path)
        if keys is not None:
            fields.refuse_unknown(keys)
        return fields

    def at(self, key: str) -> str:
        """Return the path of a key; of the mapping itself for an empty key."""
        return ".".join(part for part in (self.path, key) if part) or "document"

    def fault(self, key: str, message: str) -> None:
        """Note what is wrong with a key."""
        self.faults.append(f"{self.at(key)}: {message}")

    def has(self, key: str) -> bool:
        """Tell whether the key is there with a value other than null."""
        return self.values.get(key) is not None

    def refuse_unknown(self, keys: Collection[str]) -> None:
        """Note every key that is not one of ``keys``."""
        for key in self.values:
            if not isinstance(key, str):
                self.faults.append(f"{self.path or 'document'}: the key {shown(key)} must be text")
            elif key not in keys:
                name = key if key.isprintable() and len(key) <= _LONGEST else shown(key)
                self.fault(name, f"is not known{did_you_mean(key, keys)}")

    def text(
        self,
        key: str,
        *,
        required: bool = False,
        default: str = "",
        pattern: re.Pattern[str] | None = None,
        form: str = "",
    ) -> str:
        """Read a text; ``pattern`` is what all of it must match, ``form`` says that in words."""
        if not self.has(key):
            if required:
                self.fault(key, "is required")
            return default
        value = self.values[key]
        if not isinstance(value, str):
            quotes = ": put it in quotes" if isinstance(value, int | float) else ""
            self.fault(key, f"must be text, not {shown(value)}{quotes}")
        elif not value.strip():
            self.fault(key, "must not be empty")
        elif pattern is not None and not pattern.fullmatch(value):
            self.fault(key, f"must be {form}, not {shown(value)}")
        else:
            return value
        return default

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts; empty without one."""
        faults = len(self.faults)
        items = self._list(key)
        for index, item in enumerate(items):
            if not isinstance(item, str) or not item.strip():
                self.fault(f"{key}[{index}]", f"must be text, not {shown(item)}")
        return tuple(str(item) for item in items) if len(self.faults) == faults else ()

    def choice(self, key: str, options: Collection[str], default: str, *, required: bool = False) -> str:
        """Read one of several words; the default without one."""
        value = self.text(key, required=required, default=default)
        if value == default or value in options:
            return value
        self.fault(
            key, f"is {shown(value)}, must be one of {', '.join(options)}{did_you_mean(value, options)}"
        )
        return default

    def flag(self, key: str, *, default: bool) -> bool:
        """Read true or false; the default without one."""
        value = self.values.get(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self.fault(key, f"must be true or false, not {shown(value)}")
        return default

    def whole(self, key: str, *, default: int, least: int) -> int:
        """Read a whole number of at least ``least``; the default without one. True and 1.0 are none."""
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            self.fault(key, f"must be a whole number, not {shown(value)}")
        elif value < least:
            self.fault(key, f"must be at least {least}, not {shown(value)}")
        else:
            return value
        return default

    def positive(self, key: str, default: float) -> float:
        """Read a number above zero; the default without one."""
        value = self.values.get(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < _LARGEST:
            return float(value)
        self.fault(key, f"must be a number above 0 and below {_LARGEST}, not {shown(value)}")
        return default

    def share(self, key: str, default: float) -> float:
        """Read a number from 0 to 1; the default without one."""
        value = self.values.get(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
            return float(value)
        self.fault(key, f"must be a number from 0 to 1, not {shown(value)}")
        return default

    def section(self, key: str, *, keys: Collection[str] | None) -> Fields:
        """Read a mapping below this one; an empty one when it is not there."""
        document = self.values[key] if self.has(key) else {}
        return Fields.of(document, self.faults, path=self.at(key), keys=keys)

    def sections(self, key: str, *, keys: Collection[str], required: bool = False) -> tuple[Fields, ...]:
        """Read a list of mappings below this one; ``required`` wants one at least."""
        if required and self.values.get(key) in (None, [], ()):
            self.fault(key, "is required: a list of one at least")
            return ()
        return tuple(
            Fields.of(item, self.faults, path=f"{self.at(key)}[{index}]", keys=keys)
            for index, item in enumerate(self._list(key))
        )

    def _list(self, key: str) -> tuple[object, ...]:
        value = self.values.get(key)
        if value is None:
            return ()
        if isinstance(value, list | tuple):
            return tuple(value)
        self.fault(key, f"must be a list, not {shown(value)}")
        return ()


def _number(value: float) -> str:
    """Write a number; one of more digits than a message has room for is only called large."""
    if isinstance(value, int) and abs(value) >= 10**_LONGEST:
        return "a very large number"
    return str(value)
