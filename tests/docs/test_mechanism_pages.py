"""What a person copies from the pages of bundles and mechanisms is a bundle without fault."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from escalator.checks.bundle_faults import find_faults
from escalator.documents.bundles import find_bundle_faults, parse_bundle
from escalator.documents.yaml_lines import load_yaml
from escalator.ledger.codec import to_json

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "bundles.md", *sorted((DOCS / "mechanisms").glob("*.md"))]


def list_bundles(page: Path) -> list[str]:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [block for block in blocks if "schema: escalator.bundle/1" in block]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_is_a_bundle_without_fault(page: Path) -> None:
    examples = list_bundles(page)
    assert examples
    assert [find_faults(load_yaml(example)) for example in examples] == [[]] * len(examples)


UNFIT: list[object] = ["\ud800", "-x\n", "", None, [], {"k": ["\ud800"]}, {1: 2}, float("inf")]


def list_places(document: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    pairs = document.items() if isinstance(document, dict) else ()
    for key, value in enumerate(document) if isinstance(document, list) else pairs:
        yield (*at, key)
        yield from list_places(value, (*at, key))


def replace_at(document: Any, at: tuple[str | int, ...], value: object) -> Any:
    if not at:
        return value
    changed = document.copy()
    changed[at[0]] = replace_at(document[at[0]], at[1:], value)
    return changed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_whatever_stands_in_an_example_is_a_fault_or_a_bundle_that_can_be_written_down(page: Path) -> None:
    example = yaml.safe_load(list_bundles(page)[0])
    for at in list_places(example):
        for value in UNFIT:
            document = replace_at(example, at, value)
            said = "; ".join(map(str, find_bundle_faults(document)))
            if not said:
                said = json.dumps(to_json(parse_bundle(document)), ensure_ascii=False, allow_nan=False)
            assert said.encode(), at
