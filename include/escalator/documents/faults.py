"""Faults of a document: where, what, on which line; pydantic's errors become these."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from escalator.documents.wording import did_you_mean, hint_at_quotes, show_name, show_value

Place = tuple[str | int, ...]
"""Keys and list indices from the document down to a value."""
SAID = "said"
"""Type of the errors whose message is an operator's already."""
MOST_SAID = 50
"""Faults of a document that one message says."""
_MUST_BE = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "float_type": "a number",
    "finite_number": "a number",
    "list_type": "a list",
    "tuple_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


class Fault(NamedTuple):
    """One thing that is wrong in a document; ``line`` is that of its file, None when not known."""

    at: Place
    words: str
    line: int | None = None

    def __str__(self) -> str:
        """Write ``components[0].to: must be text (line 4)``."""
        where = f" (line {self.line})" if self.line is not None else ""
        return f"{_path(self.at)}: {self.words}{where}"


def say_faults(faults: Sequence[Fault | str], most: int = MOST_SAID) -> str:
    """Say the first of some faults, and how many there are beside them: a message is read by people."""
    more = f"; and {len(faults) - most} more" if len(faults) > most else ""
    return "; ".join(map(str, faults[:most])) + more


class LinedMapping(dict[Any, Any]):
    """A document that knows on which lines of its file its parts stand.

    :ivar lines: place -> line, from 1.
    :ivar faults: what is wrong with it before its content is looked at: keys that stand there twice.
    """

    def __init__(
        self, document: Mapping[Any, Any], lines: Mapping[Place, int], faults: tuple[Fault, ...]
    ) -> None:
        super().__init__(document)
        self.lines = lines
        self.faults = faults

    def line_of(self, at: Place) -> int | None:
        """Return the line of a place, or of the nearest part around it that is not the whole document."""
        return next((self.lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in self.lines), None)


def describe_fault(error: ErrorDetails, fields: Mapping[str, FieldInfo]) -> Fault:
    """Say an error of pydantic's in an operator's words.

    :param error: one error, its place counted from the mapping that has the fields.
    :param fields: key -> field of that mapping.
    """
    kind, at, value = error["type"], error["loc"], error["input"]
    field = fields.get(str(at[0])) if at else None
    if field is not None and field.discriminator is not None:
        at = (at[0], *at[2:])  # the second part is pydantic's name of the alternative, no key
    if kind == SAID:
        return Fault(at, error["ctx"]["words"])
    if field is not None and field.is_required() and value is None and len(at) == 1:
        return Fault(at, "is required")
    if kind == "extra_forbidden":
        return Fault(at, f"is not known{did_you_mean(str(at[-1]), fields)}")
    if kind == "invalid_key" or at[-1:] == ("[key]",):
        return Fault(at[: -1 if kind == "invalid_key" else -2], f"the key {show_value(value)} must be text")
    if kind.startswith("union_tag"):
        return _fault_of_tag(error, at)
    return Fault(at, _words(error))


def _fault_of_tag(error: ErrorDetails, at: Place) -> Fault:
    """Say what is wrong with the key that tells which alternative a mapping is."""
    key = str(error["ctx"]["discriminator"]).strip("'")
    if error["type"] == "union_tag_not_found":
        return Fault((*at, key), "is required")
    value = error["input"][key]
    return Fault(
        (*at, key), "is required" if value is None else _choice(value, error["ctx"]["expected_tags"])
    )


def _words(error: ErrorDetails) -> str:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    match kind:
        case "missing":
            words = "is required"
        case "string_type":
            words = f"must be text, not {show_value(value)}{hint_at_quotes(value)}"
        case "string_unicode":
            words = f"{show_value(value)} is no text: it has half a character"
        case "string_too_short":
            words = "must not be empty"
        case "string_too_long":
            words = f"is {len(str(value))} characters long, at most {context['max_length']} are possible"
        case "too_short":
            is_mapping = isinstance(value, Mapping)
            words = "must name one key at least" if is_mapping else "is required: a list of one at least"
        case "greater_than_equal" | "less_than_equal" | "too_long":
            words = _limit(kind, context, value)
        case "enum" | "literal_error":
            words = _choice(value, context["expected"])
        case _ if kind in _MUST_BE:
            words = _must_be(kind, value)
        case _:
            words = f"is refused: {error['msg']}, not {show_value(value)}"
    return words


def _limit(kind: str, context: Mapping[str, Any], value: object) -> str:
    if kind == "too_long":
        return f"has too many entries, more than {context['max_length']}"
    limit = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
    return f"must be {limit}, not {show_value(value)}"


def _must_be(kind: str, value: object) -> str:
    if kind == "float_type" and type(value) is int:  # any int would do, but no float is as large as this one
        return "is too large a number"
    return f"must be {_MUST_BE[kind]}, not {show_value(value)}"


def _choice(value: object, expected: str) -> str:
    """Say what a word may be; pydantic has the words in quotes."""
    words = re.findall(r"'([^']+)'", expected)
    if value is None:
        return f"must be one of {', '.join(words)}, not null"
    if not isinstance(value, str):
        return f"must be text, not {show_value(value)}{hint_at_quotes(value)}"
    if len(words) == 1:
        return f"is {show_value(value)}, this release reads {words[0]}"
    return f"is {show_value(value)}, must be one of {', '.join(words)}{did_you_mean(value, words)}"


def _path(at: Place) -> str:
    path = ""
    for part in at:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            name = show_name(part)
            path += f".{name}" if path else name
    return path or "document"
