"""Modules and functions are as short as CONTRIBUTING says: what is longer answers two questions."""

from __future__ import annotations

import ast

from tests.conftest import ROOT

FOLDERS = ("include", "plugins", "dags", "benchmarks", "tests")
LINES_OF_A_MODULE = 400
LINES_OF_A_FUNCTION = 50
MODULES = {
    path.relative_to(ROOT): path.read_text(encoding="utf-8")
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.py"))
}


def test_no_module_is_too_long() -> None:
    assert len(MODULES) > 100, "the folders have moved"
    assert [str(p) for p, text in MODULES.items() if text.count("\n") > LINES_OF_A_MODULE] == []


def test_no_function_is_too_long() -> None:
    long = [
        f"{path}:{node.lineno} {node.name}"
        for path, text in MODULES.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= LINES_OF_A_FUNCTION
    ]
    assert long == []
