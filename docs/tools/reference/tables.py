"""Tables of Markdown, as GitHub and the site both read them."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


def make_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a cell is one line."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_make_cell(cell) for cell in line)} |\n" for line in lines)


def make_code(text: str) -> str:
    """Return text as code that may stand in a cell: a bar would end it, and some brackets are a link."""
    if "|" in text or "`" in text or "](" in text:
        return f"<code>{html.escape(text, quote=False).replace('|', '&#124;').replace('](', '&#93;(')}</code>"
    return f"`{text}`"


def list_words(words: Iterable[object]) -> str:
    """Return values as code, with commas between them."""
    return ", ".join(make_code(str(word)) for word in words)


def _make_cell(text: str) -> str:
    return " ".join(text.replace("``", "`").split()) or "-"
