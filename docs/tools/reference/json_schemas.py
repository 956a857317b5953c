"""JSON schemas in words: of forms, of files, and of bodies over REST."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from docs.tools.reference.tables import list_words, make_code

Schema = Mapping[str, Any]
Link = Callable[[str], str]
"""Name of a definition -> how it is named in a cell."""
MANY = 12
"""So many words of an enumeration are listed; of more their number is said."""
_RANGES = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
)
"""Key of the least, key of the most, and of what."""


def describe_type(schema: Schema, definitions: Schema, link: Link) -> str:
    """Say of what type a value is; of an enumeration its words."""
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        found = definitions[name]
        return (
            link(name)
            if _has_table(found)
            else describe_type({**found, **_without_ref(schema)}, definitions, link)
        )
    if "enum" in schema:
        return _describe_words(schema["enum"])
    if "const" in schema:
        return make_code(str(schema["const"]))
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            parts = dict.fromkeys(describe_type(part, definitions, link) for part in schema[key])
            return ", or ".join(parts)
    return _describe_plain(schema, definitions, link)


def _describe_plain(schema: Schema, definitions: Schema, link: Link) -> str:
    match schema.get("type"):
        case "array":
            items = schema.get("items") or {}
            return f"list of {describe_type(items, definitions, link)}" if items else "list"
        case "object" if isinstance(schema.get("additionalProperties"), Mapping):
            return f"mapping to {describe_type(schema['additionalProperties'], definitions, link)}"
        case "null":
            return "nothing"
        case list() as types:
            return " or ".join(
                "nothing" if kind == "null" else str(kind) for kind in sorted(types, key="null".__eq__)
            )
        case None:
            return "anything"
        case kind:
            return {"date-time": "time"}.get(str(schema.get("format")), str(kind))


def describe_limits(schema: Schema) -> str:
    """Say within which limits a value is, those of the items of a list, too."""
    parts = list(_list_limits(schema))
    for key in ("anyOf", "oneOf", "allOf"):
        for part in schema.get(key, ()):
            parts += _list_limits(part)
    items = schema.get("items")
    if isinstance(items, Mapping):
        parts += [f"each {limit}" for limit in _list_limits(items)]
    return "; ".join(dict.fromkeys(parts))


def describe_default(schema: Schema, *, required: bool) -> str:
    """Say what counts where nothing is said."""
    if required:
        return "required"
    default = schema.get("default")
    return "" if default is None or default in ([], {}) else make_code(_show(default))


def list_tables(schema: Schema) -> Iterator[str]:
    """Return the names of the definitions that have a table of their own, in the order of their names."""
    for name, definition in sorted(schema.get("$defs", {}).items()):
        if _has_table(definition):
            yield name


def _has_table(definition: Schema) -> bool:
    return bool(definition.get("properties"))


def _without_ref(schema: Schema) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "$ref"}


def _list_limits(schema: Schema) -> Iterator[str]:
    for least, most, unit in _RANGES:
        if least in schema and most in schema:
            yield f"{_show(schema[least])} to {_show(schema[most])}{unit}"
        elif least in schema:
            yield f"at least {_show(schema[least])}{unit}"
        elif most in schema:
            above = f"above {_show(schema['exclusiveMinimum'])}, " if "exclusiveMinimum" in schema else ""
            yield f"{above}at most {_show(schema[most])}{unit}"
    if "exclusiveMinimum" in schema and "maximum" not in schema:
        yield f"above {_show(schema['exclusiveMinimum'])}"
    if "exclusiveMaximum" in schema:
        yield f"below {_show(schema['exclusiveMaximum'])}"
    if "pattern" in schema:
        yield make_code(schema["pattern"])


def _show(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)


def _describe_words(words: list[object]) -> str:
    shown = ["nothing" if word is None else make_code(_show(word)) for word in words]
    return (
        " or ".join(shown)
        if len(words) <= MANY
        else f"one of {len(words)} words, such as {list_words(words[:2])}"
    )
