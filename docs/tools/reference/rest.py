"""Page of the routes over REST, made from what the apps say of themselves (OpenAPI)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from docs.tools.reference.json_schemas import Schema, describe_type
from docs.tools.reference.tables import make_code, make_table

from escalator_airflow.board import application as board
from escalator_airflow.web import application as vim
from escalator_airflow.web.lazy_app import BOARD_PREFIX, URL_PREFIX

HEAD = """# Routes over REST

Airflow's API server has two apps of Escalator's beside its own API, which starts runs (`POST
/api/v2/dags/DAG/dagRuns`, with the [parameters](parameters.md)). Each tells its routes and bodies as
OpenAPI, at the address that stands below. What is refused is answered with what is wrong, where, and what to
do; nothing was written then.
"""


def make_rest() -> str:
    """Return the page."""
    apps = (
        ("VIM interface", URL_PREFIX, vim.create_app(cast("Any", None))),
        ("Campaigns", BOARD_PREFIX, board.create_app(cast("Any", None))),
    )
    return "\n".join(
        [HEAD, *(part for name, prefix, app in apps for part in _describe(name, prefix, app.openapi()))]
    )


def _describe(name: str, prefix: str, document: Schema) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"{document['info']['description']} OpenAPI: `{prefix}/openapi.json`.\n"
    definitions = document.get("components", {}).get("schemas", {})
    rows = [
        _make_row(f"{method.upper()} {prefix}{path}", operation, definitions)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    yield make_table(["route", "what it does", "parameters", "body", "answers"], rows)


def _make_row(route: str, operation: Schema, definitions: Schema) -> list[str]:
    said = " ".join(
        (operation.get("description") or operation.get("summary") or "").split(":param")[0].split()
    )
    outside = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"]
    return [
        make_code(route),
        said.partition(" :raises")[0],
        ", ".join(make_code(name) for name in outside),
        _describe_body(operation.get("requestBody"), definitions),
        ", ".join(sorted(operation.get("responses", {}))),
    ]


def _describe_body(body: Mapping[str, Any] | None, definitions: Schema) -> str:
    if body is None:
        return ""
    (media, *_) = body["content"].values()
    schema = media.get("schema", {})
    reference = schema.get("$ref", "").rpartition("/")[2]
    found = definitions.get(reference, schema)
    if not found.get("properties"):
        return describe_type(schema, definitions, str)
    required = set(found.get("required", ()))
    return ", ".join(
        f"{make_code(key)}{'' if key in required else ' (optional)'}" for key in found["properties"]
    )
