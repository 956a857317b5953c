"""Links of the documents lead somewhere, and the commands in them are commands."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest
from tests.conftest import ROOT

from escalator.cli import VERBS, Parser

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "include").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)\s#]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
FENCED = re.compile(r"^(?: *)```.*?^(?: *)```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:.*&& )?(escalator [a-z].*)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page, as GitHub makes them from headings."""
    plain = FENCED.sub("", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", h.lower().strip()).replace(" ", "-") for h in HEADING.findall(plain)}


def commands(page: Path) -> list[str]:
    """Return the commands of a page's code blocks, without their comments."""
    blocks = FENCED.findall(page.read_text(encoding="utf-8"))
    return [
        found.split(" #")[0].split(" && ")[0].strip() for block in blocks for found in COMMAND.findall(block)
    ]


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    astray = []
    for page in PAGES:
        for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                astray.append(f"{page.relative_to(ROOT)}: {path}#{anchor}")
    assert astray == []


@pytest.mark.parametrize("command", sorted({found for page in PAGES for found in commands(page)}))
def test_every_command_of_the_documents_is_one(command: str) -> None:
    words = shlex.split(command, comments=True)[1:]
    module = {verb: module for verb, module, _ in VERBS}[words[0]]
    parser = Parser(prog="escalator")
    importlib.import_module(module).add_parser(parser.add_subparsers(dest="verb", required=True))
    assert parser.parse_args(words)
