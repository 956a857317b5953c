"""The reference is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docs.tools.make_reference import FOLDER, make_pages
from docs.tools.reference.formats import FORMATS, INSIDE
from docs.tools.reference.json_schemas import describe_limits, describe_type
from docs.tools.reference.tables import make_table
from tests.conftest import ROOT
from tests.plugins.airflow_home import own_home

FORMAT = re.compile(r"\bescalator\.([a-z-]+)/1")


@pytest.mark.airflow
def test_what_is_written_is_what_the_code_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own_home()
    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", str(tmp_path))
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    made = make_pages()
    assert sorted(written) == sorted(made)
    assert [name for name, text in made.items() if written[name] != text] == [], "run `make reference`"
    assert not [name for name, text in made.items() if str(ROOT) in text or str(Path.home()) in text]


def test_every_kind_of_dag_is_told_of() -> None:
    """One DAG file is one kind; those without a DAG of their own only judge."""
    page = (FOLDER / "parameters.md").read_text(encoding="utf-8")
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "dags").glob("*.py")}
    kinds = [kind for kind, text in texts.items() if "dag = " in text or "for dag in" in text]
    lacking = [kind for kind in kinds if f"## {kind}" not in page and f"`{kind}__" not in page]
    assert sorted(lacking) == []


def test_every_format_is_told_of() -> None:
    code = (path.read_text(encoding="utf-8") for path in (ROOT / "include").rglob("*.py"))
    found = {name for text in code for name in FORMAT.findall(text)}
    assert sorted(found) == sorted({*FORMATS, *INSIDE}), (
        "docs/tools/reference/formats.py says of each who writes it"
    )


@pytest.mark.airflow
def test_operations_tell_of_every_parameter_of_a_campaign() -> None:
    own_home()
    from escalator_airflow.params import make_campaign_params

    manual = (ROOT / "docs" / "operations" / "campaign.md").read_text(encoding="utf-8")
    assert [name for name in make_campaign_params((), {}) if f"\n| `{name}` | " not in manual] == []


@pytest.mark.parametrize(
    ("schema", "kind", "limits"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, "integer", "1 to 9"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 60.0}, "number", "above 0, at most 60"),
        ({"type": ["null", "string"], "format": "date-time"}, "string or nothing", ""),
        ({"enum": ["a", None]}, "`a` or nothing", ""),
        (
            {"type": "array", "items": {"type": "string", "pattern": "a|b"}},
            "list of string",
            "each <code>a&#124;b</code>",
        ),
        ({"anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}]}, "[Part], or nothing", ""),
        ({"$ref": "#/$defs/Word"}, "`x` or `y`", ""),
        ({"type": "object", "additionalProperties": {"const": 1}}, "mapping to `1`", ""),
        ({}, "anything", ""),
    ],
)
def test_a_schema_is_put_into_words(schema: dict[str, object], kind: str, limits: str) -> None:
    definitions = {"Part": {"properties": {"a": {}}}, "Word": {"enum": ["x", "y"]}}
    assert describe_type(schema, definitions, "[{}]".format) == kind
    assert describe_limits(schema) == limits


def test_a_table_has_its_cells_in_one_line_each() -> None:
    assert make_table(["a", "b"], [["one\ntwo", ""]]) == "| a | b |\n| --- | --- |\n| one two | - |\n"
