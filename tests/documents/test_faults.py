from __future__ import annotations

from datetime import date

import pytest

from escalator.documents.faults import Fault, LinedMapping, Place
from escalator.documents.wording import did_you_mean, shown


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault((), "is bad"), "document: is bad"),
        (Fault(("groups", 0, "members", 12, "id"), "is bad", 7), "groups[0].members[12].id: is bad (line 7)"),
        (Fault((3, "a"), "is bad"), "[3].a: is bad"),
        (Fault(("a\nb",), "is bad"), "'a\\nb': is bad"),
        (Fault(("a" * 100,), "is bad"), f"'{'a' * 60}...': is bad"),
    ],
)
def test_fault_is_one_line(fault: Fault, said: str) -> None:
    assert str(fault) == said


def test_line_is_that_of_the_nearest_part_around() -> None:
    lines: dict[Place, int] = {("a",): 2, ("a", 0): 3}
    document = LinedMapping({"a": [{}]}, lines, ())
    assert document == {"a": [{}]}
    assert [document.line_of(at) for at in (("a", 0, "b", 1), ("a", 1), ("b",), ())] == [3, 2, None, None]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (True, "true"),
        (None, "null"),
        ("x" * 61, f"'{'x' * 60}...'"),
        (10**60, "a very large number"),
        (float("inf"), "inf"),
        (date(2026, 1, 2), "2026-01-02"),
        ({}, "a mapping"),
        ((1,), "a list"),
        ({1}, "a set"),
        ("\ud800", "'\\ud800'"),
    ],
)
def test_value_is_shown_short(value: object, said: str) -> None:
    assert shown(value) == said


def test_number_of_five_thousand_digits_is_called_large() -> None:
    assert shown(-(10**5000)) == "a very large number"


def test_near_word_is_offered() -> None:
    assert did_you_mean("rolback", ["rollback", "name"]) == ", did you mean rollback?"
    assert did_you_mean("zzz", ["rollback"]) == ""
