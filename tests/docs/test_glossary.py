"""The glossary has every word of Escalator's own that the program says or is built of.

Words are taken from the names of modules and from everything that is logged, raised or put into a verdict.
What is plain English stands in ``plain_words.txt``: a new word is put there, or explained in the glossary.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
PLAIN = Path(__file__).parent / "plain_words.txt"
SOURCES = [ROOT / "include" / "escalator", ROOT / "plugins", ROOT / "dags"]
NOT_SAID = {"lab", "airflow_stack", "migrations"}
"""Folders whose messages are about the machinery of tests; their names count all the same."""
WORD = re.compile(r"[a-z]{3,}")
SAID_BY = re.compile(
    r"(^log$|Error$|^unmet$|^met$|^Verdict$|^Bar$|^StepResult$|make_decision$|^Obstacle$|fault$)"
)


def files() -> Iterator[Path]:
    for source in SOURCES:
        yield from sorted(source.rglob("*.py"))


def words_of(text: str) -> set[str]:
    return set(WORD.findall(text.lower()))


def module_words() -> set[str]:
    names = {part for path in files() for part in path.relative_to(ROOT).with_suffix("").parts}
    return {word for name in names for word in words_of(name.replace("_", " "))}


def said_by(call: ast.Call) -> bool:
    """Tell whether a call logs, raises or judges."""
    match call.func:
        case ast.Attribute(value=ast.Name(id="log")):
            return True
        case ast.Attribute(value=ast.Attribute(attr="log")):
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return bool(SAID_BY.search(name))
    return False


def message_words() -> set[str]:
    found: set[str] = set()
    for path in files():
        if NOT_SAID.isdisjoint(path.parts):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and said_by(node):
                    for part in ast.walk(node):
                        if isinstance(part, ast.Constant) and isinstance(part.value, str):
                            found |= words_of(part.value)
    return found


def glossary_words() -> set[str]:
    """Return the words that the glossary explains: those of its first column."""
    rows = re.findall(r"^\| ([^|]+) \|", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    return {word for row in rows for word in words_of(row)}


def singular(word: str) -> set[str]:
    """Return the forms under which a word may stand in a list: as it is, and without its ending."""
    forms = {word, word.removesuffix("s"), word.removesuffix("es")}
    if word.endswith("ies"):
        forms.add(f"{word.removesuffix('ies')}y")
    return forms


def unexplained(words: set[str]) -> list[str]:
    """Return the words that are neither plain nor in the glossary."""
    known = glossary_words() | set(PLAIN.read_text(encoding="utf-8").split())
    return sorted(word for word in words if singular(word).isdisjoint(known))


def test_every_word_of_a_module_name_is_explained_or_plain() -> None:
    assert unexplained(module_words()) == []


def test_every_word_that_is_said_is_explained_or_plain() -> None:
    assert unexplained(message_words()) == []


def test_no_plain_word_is_explained_or_unused() -> None:
    plain = PLAIN.read_text(encoding="utf-8").split()
    used = {form for word in module_words() | message_words() for form in singular(word)}
    assert sorted(set(plain) & glossary_words()) == []
    assert sorted(set(plain) - used) == []
    assert plain == sorted(set(plain))


OF_THE_STANDARDS = {"nfvi", "nfvo", "rollforward"}
"""Words of ETSI and of the Escalator documents that a reader meets there."""


def test_every_word_of_the_glossary_is_used() -> None:
    pages = (path for path in (*files(), *ROOT.glob("docs/*.md")) if path != GLOSSARY)
    text = "\n".join(path.read_text(encoding="utf-8") for path in pages)
    said = {form for word in words_of(text) for form in singular(word)}
    assert (
        sorted(word for word in glossary_words() - OF_THE_STANDARDS if singular(word).isdisjoint(said)) == []
    )


def test_words_that_have_better_ones_are_gone() -> None:
    """The first node of a domain is no seed, the state of a round no standing, a departure no turn."""
    old = re.compile(r"\b(standing|seeds|spilled|survey|scene)\b|\bclass \w*(Turn|Standing|Scene|Seed)\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files()
        if NOT_SAID.isdisjoint(path.parts)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if old.search(line)
    ]
    assert found == []
