"""Public functions begin with a verb: what a function does stands first in its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

VERBS = frozenset((Path(__file__).parent / "verbs.txt").read_text(encoding="utf-8").split())
"""The verbs that names begin with; a name that needs another one adds it."""
NOT_OURS = ("include/escalator/lab/", "include/escalator/ledger/migrations/versions/")
"""The lab speaks the words of what it runs; Alembic names what a migration has."""
EXCEPTIONS = {
    "the word that everybody knows": {"main", "utcnow"},
    "the name of a step, of its task and of its function is the same": {"announce", "precheck", "switchover"},
    "Airflow calls it by this name": {"on_starting"},
    "reads as the finding that it makes: yield unmet(code, subject, ...)": {"met", "unmet"},
    "a setting is named by what it is": {"inventory_dir", "ledger_url", "report_dir"},
    "the canonical form is the name of the thing": {"canonical"},
}
"""Why -> names without a verb."""


def list_public_functions() -> Iterator[tuple[str, str]]:
    """Give file and name of every public function at the top of a module."""
    for folder in ("include/escalator", "plugins", "dags"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            file = str(path.relative_to(ROOT))
            if file.startswith(NOT_OURS):
                continue
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                    yield file, node.name


def begins_with_a_verb(name: str) -> bool:
    return name.split("_", maxsplit=1)[0] in VERBS


def is_told_by_its_form(name: str) -> bool:
    """Tell whether a name is a converter (to_json, plan_to_document), or says what of what (domain_of)."""
    return name.startswith(("to_", "from_")) or "_to_" in name or "_from_" in name or name.endswith("_of")


def test_public_functions_begin_with_a_verb() -> None:
    allowed = set().union(*EXCEPTIONS.values())
    found = [
        f"{file}: {name}"
        for file, name in list_public_functions()
        if not (begins_with_a_verb(name) or is_told_by_its_form(name) or name in allowed)
    ]
    assert found == []


def test_every_exception_is_needed() -> None:
    names = {name for _, name in list_public_functions()}
    for why, exceptions in EXCEPTIONS.items():
        assert exceptions <= names, why
        assert not any(map(begins_with_a_verb, exceptions)), why


def test_a_noun_is_found_out() -> None:
    assert not begins_with_a_verb("capacity")
    assert not is_told_by_its_form("capacity")
