from __future__ import annotations

from dataclasses import replace

import pytest

from escalator.model.check_report import (
    CheckReport,
    Condition,
    SpareProposal,
    check_to_document,
    read_unmet_verdicts,
)
from escalator.model.cloud import ResourceInventory
from escalator.model.durations import Quantiles
from escalator.model.verdict import Code, Severity, Subject, SubjectType

NODE = Subject(type=SubjectType.NODE, id="a", name="rack 1")


def condition(severity: Severity, *, met: bool = False) -> Condition:
    return Condition(
        code=Code.CAPACITY, met=met, severity=severity, subject=NODE, message="no room", remedy="add room"
    )


@pytest.mark.parametrize(
    ("severity", "met", "result"),
    [
        (Severity.BLOCKER, False, False),
        (Severity.BLOCKER, True, True),
        (Severity.WARNING, False, True),
        (Severity.INFO, False, True),
    ],
)
def test_only_an_unmet_blocker_is_in_the_way(severity: Severity, *, met: bool, result: bool) -> None:
    assert CheckReport(conditions=(condition(severity, met=met),)).met == result


def test_what_blocks_comes_first() -> None:
    warning, blocker, good = (
        condition(Severity.WARNING),
        condition(Severity.BLOCKER),
        condition(Severity.INFO, met=True),
    )
    assert CheckReport(conditions=(good, warning, blocker)).unmet == (blocker, warning)


def test_a_condition_reads_like_a_verdict() -> None:
    assert str(condition(Severity.BLOCKER)) == "node rack 1 (a): no room -> add room [capacity]"
    assert condition(Severity.WARNING).verdict.severity is Severity.WARNING


def test_the_document_has_the_public_form() -> None:
    spare = SpareProposal(
        nodes=2,
        domain="cell1/az1/general",
        inventory={"VCPU": ResourceInventory(total=4, reserved=1, allocation_ratio=2.0, max_unit=3)},
        traits=("B", "A"),
        alternatives=("leave a out",),
    )
    report = CheckReport(
        conditions=(condition(Severity.BLOCKER),), spare=spare, expected=Quantiles(p50=1.5, p90=2.5)
    )
    assert check_to_document(report) == {
        "schema": "escalator.check/1",
        "met": False,
        "conditions": [
            {
                "code": "capacity",
                "met": False,
                "severity": "blocker",
                "subject": {"type": "node", "id": "a", "name": "rack 1"},
                "message": "no room",
                "remedy": "add room",
            }
        ],
        "spare": {
            "nodes": 2,
            "domain": "cell1/az1/general",
            "inventory": {"VCPU": {"total": 4, "reserved": 1, "allocation_ratio": 2.0, "max_unit": 3}},
            "traits": ["A", "B"],
            "alternatives": ["leave a out"],
        },
        "expected": {"p50_seconds": 1.5, "p90_seconds": 2.5},
    }
    assert check_to_document(CheckReport(conditions=()))["spare"] is None


@pytest.mark.parametrize("name", ["rack 1", None])
def test_what_is_not_met_comes_back_with_the_name_of_its_subject(name: str | None) -> None:
    found = replace(condition(Severity.BLOCKER), subject=replace(NODE, name=name))
    document = check_to_document(CheckReport(conditions=(found, condition(Severity.INFO, met=True))))
    assert read_unmet_verdicts(document) == (found.verdict,)


def test_a_document_of_the_release_before_has_no_names() -> None:
    document = check_to_document(CheckReport(conditions=(condition(Severity.BLOCKER),)))
    del document["conditions"][0]["subject"]["name"]
    (verdict,) = read_unmet_verdicts(document)
    assert verdict.subject == Subject(type=SubjectType.NODE, id="a")
