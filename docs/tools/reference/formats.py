"""Page of the formats of files, made from the models that read them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from docs.tools.reference.json_schemas import (
    Schema,
    describe_default,
    describe_limits,
    describe_type,
    list_tables,
)
from docs.tools.reference.tables import make_code, make_table

from escalator.schemas import make_schema_texts

HEAD = """# Formats

Every document says in `schema` of which format it is. A number that changes says that a reader of the older
one would not understand it.

## All of them
"""
FORMATS = {
    "backup": (
        "what was saved of a node, beside it in the store",
        "[backups](../operations/backups.md#backups)",
    ),
    "backups": ("`escalator backups list --json`", "[backups](../operations/backups.md#backups)"),
    "bundle": ("you", "[bundles](../bundles.md)"),
    "check": ("`escalator check --json`; the DAG `check__CLOUD`", "[the check](../check.md)"),
    "doctor": ("`escalator doctor --json`", "[install](../install.md)"),
    "event": ("everything that a campaign does, a line each", "[monitoring](../monitoring/README.md#events)"),
    "interruptions": (
        "`escalator interruptions --json`",
        "[interruptions](../operations/services.md#interruptions-of-services)",
    ),
    "inventory": ("the DAG `inventory`", "[operations](../operations/before.md#before-the-first-campaign)"),
    "inventory-settings": (
        "you",
        "[operations](../operations/before.md#what-a-cloud-does-not-tell-of-itself)",
    ),
    "leases": (
        "`escalator leases --json`",
        "[leases](../operations/nodes-out.md#a-node-stays-out-whose-is-it)",
    ),
    "note": ("what people are told by a webhook", "[monitoring](../monitoring/README.md#notes-to-people)"),
    "plan": ("`escalator plan --json`", "[the check](../check.md)"),
    "project": ("`escalator check --per-project DIR`", "[the check](../check.md#what-tenants-are-told)"),
    "replay": ("`escalator replay --json`", "[traces](../replay.md)"),
    "report": ("a campaign, at its end", "[operations](../operations/campaign.md#what-happens)"),
    "snapshot": ("`escalator snapshot`; every check and campaign", "[snapshots](../snapshot.md)"),
    "trace": ("`escalator simulate`", "[traces](../replay.md)"),
    "vnf": ("you", "[VNFs](../../include/vnfs/README.md)"),
    "vnfm-health": (
        "`escalator vnfms --json`",
        "[managers of VNFs](../operations/vnf-managers.md#managers-of-vnfs)",
    ),
    "vnfms": ("you", "[VNFs](../../include/vnfs/README.md#who-is-told-managers-of-vnfs)"),
    "windows": ("you", "[windows](../operations/windows.md#maintenance-windows)"),
}
"""Format, without the number of its version -> who writes it, and the page that tells of it."""
INSIDE = frozenset({"lab", "lab-status", "packed", "tokens"})
"""Formats that nobody but Escalator reads."""


def make_formats() -> str:
    """Return the page."""
    texts = make_schema_texts()
    schemas = {file.removesuffix(".schema.json"): json.loads(text) for file, text in texts.items()}
    rows = [
        [
            make_code(f"escalator.{name}/1"),
            writer,
            page,
            f"[{name}.schema.json](../../include/schemas/{name}.schema.json)" if name in schemas else "",
        ]
        for name, (writer, page) in FORMATS.items()
    ]
    index = make_table(["format", "written by", "page", "JSON schema"], rows)
    parts = [part for name, schema in schemas.items() for part in _describe(name, schema)]
    return "\n".join([HEAD, index, *parts])


def _describe(name: str, schema: Schema) -> Iterator[str]:
    """Tell one format: its keys, then those of each part of it."""
    yield f"## {name}\n"
    yield _make_keys(name, schema, schema)
    for part in list_tables(schema):
        definition = schema["$defs"][part]
        yield f"### {name}: {shorten(part)}\n"
        if said := definition.get("description"):
            yield f"{' '.join(said.replace('``', '`').split())}\n"
        yield _make_keys(name, definition, schema)


def _make_keys(name: str, schema: Schema, whole: Schema) -> str:
    definitions = whole.get("$defs", {})

    def link(part: str) -> str:
        return f"[{shorten(part)}](#{name}-{shorten(part).lower()})"

    rows = [
        [
            make_code(key),
            _link_codes(key, value, describe_type(value, definitions, link)),
            describe_limits(value),
            describe_default(value, required=key in schema.get("required", ())),
        ]
        for key, value in schema.get("properties", {}).items()
    ]
    return make_table(["key", "type", "limits", "default"], rows)


def _link_codes(key: str, value: dict[str, Any], kind: str) -> str:
    return "[a code](../codes.md)" if key == "code" and "Code" in json.dumps(value) else kind


def shorten(part: str) -> str:
    """Return the name of a model as readers know the part."""
    return part.removesuffix("Document") or part
