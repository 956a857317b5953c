from __future__ import annotations

from tests.builders import BUNDLE

from escalator.model.verdict import Code, Severity, Subject, Verdict
from escalator.steps.campaign.check_outlook import check_outlook


def tell(host: str, message: str, severity: Severity = Severity.INFO) -> Verdict:
    subject = Subject.of_node(host)
    return Verdict(
        code=Code.WOULD_CHANGE, message=message, subject=subject, severity=severity, remedy="wait for it"
    )


def test_what_is_told_of_several_nodes_is_said_once() -> None:
    told = {"a": (tell("a", "x changes"),), "b": (tell("b", "x changes"), tell("b", "y changes")), "c": ()}
    found = list(check_outlook(BUNDLE, told))
    assert [(c.message, c.met, c.remedy) for c in found] == [
        ("a, b: x changes", True, None),
        ("b: y changes", True, None),
    ]
    assert {c.subject.id for c in found} == {BUNDLE.name}


def test_a_warning_is_not_met_and_names_its_nodes() -> None:
    (found,) = check_outlook(BUNDLE, {"a": (tell("a", "dpkg is locked", Severity.WARNING),)})
    assert (found.met, found.blocks, found.hosts, found.remedy) == (False, False, ("a",), "wait for it")
