import ast
import re
from enum import StrEnum
from pathlib import Path

import pytest

from escalator.model.verdict import Code
from escalator.reports.rows import Finding

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "codes.md"
REASONS, FINDINGS = PAGE.read_text(encoding="utf-8").split("\n## Findings of a report\n")
ROW = re.compile(r"^\| `([a-z_]+)` \| (.+) \| (.+) \|$", re.MULTILINE)


def emitted(codes: type[StrEnum]) -> set[str]:
    """Return the codes that the program uses somewhere, beside the place that declares them."""
    used = set()
    for path in (*ROOT.glob("include/escalator/**/*.py"), *ROOT.glob("plugins/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Attribute(value=ast.Name(id=codes.__name__), attr=name) if name in codes.__members__:
                    used.add(str(codes[name]))
    return used


@pytest.mark.parametrize(("text", "codes"), [(REASONS, Code), (FINDINGS, Finding)])
def test_the_page_has_every_code_that_is_emitted_once_and_no_other(text: str, codes: type[StrEnum]) -> None:
    documented = [code for code, _, _ in ROW.findall(text)]
    assert sorted(documented) == sorted(emitted(codes)) == sorted(map(str, codes))


def test_every_code_has_a_meaning_and_a_remedy() -> None:
    rows = ROW.findall(REASONS + FINDINGS)
    assert all(len(meaning) > 10 for _, meaning, _ in rows)
    assert all(remedy.strip() for _, _, remedy in rows)


def test_no_row_is_malformed() -> None:
    lines = [line for line in (REASONS + FINDINGS).splitlines() if line.startswith("| `")]
    assert [line for line in lines if not ROW.match(line)] == []


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as Git hosting services make them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_between_the_documents_lead_somewhere() -> None:
    broken = []
    for page in sorted(PAGE.parent.rglob("*.md")):
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            path = (page.parent / name) if name else page
            if not path.exists() or (anchor and anchor not in anchors(path)):
                broken.append(f"{page.name}: {target}")
    assert broken == []
