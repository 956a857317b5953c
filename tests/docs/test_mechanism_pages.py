"""What a person copies from the pages of bundles and mechanisms is a bundle without fault."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from escalator.checks.bundle_faults import find_faults
from escalator.documents.yaml_lines import load_yaml

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
