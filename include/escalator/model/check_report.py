"""The report of a check: the conditions of an upgrade, met or not (``escalator.check/1``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from escalator.model.cloud import ResourceInventory
from escalator.model.durations import Quantiles
from escalator.model.verdict import Code, Severity, Subject, SubjectType, Verdict

SCHEMA = "escalator.check/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition of an upgrade and whether it is met; one that is not says what can be done.

    :ivar hosts: the nodes that it belongs to, where its subject does not say; none: what the subject says.
    """

    code: Code
    met: bool
    severity: Severity
    subject: Subject
    message: str
    remedy: str | None = None
    hosts: tuple[str, ...] = ()

    @property
    def blocks(self) -> bool:
        """Tell whether the upgrade must not begin for it."""
        return not self.met and self.severity is Severity.BLOCKER

    @property
    def verdict(self) -> Verdict:
        """Return the same finding as a verdict."""
        return Verdict(
            code=self.code,
            message=self.message,
            subject=self.subject,
            severity=self.severity,
            remedy=self.remedy,
        )

    def __str__(self) -> str:
        """Say the condition on one line: ``node node-01: message -> remedy [code]``."""
        return str(self.verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpareProposal:
    """What is missing: so many more nodes of that inventory and those traits in that domain.

    :ivar inventory: what each of them has, by resource class.
    :ivar alternatives: what would do instead, in words.
    """

    nodes: int
    domain: str
    inventory: Mapping[str, ResourceInventory] = field(default_factory=dict)
    traits: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """All conditions of an upgrade, what is missing, and how long it is expected to take."""

    conditions: tuple[Condition, ...]
    spare: SpareProposal | None = None
    expected: Quantiles = field(default_factory=lambda: Quantiles(p50=0.0, p90=0.0))

    @property
    def met(self) -> bool:
        """Tell whether nothing is in the way."""
        return not any(condition.blocks for condition in self.conditions)

    @property
    def unmet(self) -> tuple[Condition, ...]:
        """Return the conditions that are not met, those that block first, then those that warn."""
        severities = tuple(Severity)
        found = (condition for condition in self.conditions if not condition.met)
        return tuple(sorted(found, key=lambda condition: severities.index(condition.severity)))


def check_to_document(report: CheckReport) -> dict[str, Any]:
    """Write a report as plain JSON data of ``escalator.check/1``."""
    return {
        "schema": SCHEMA,
        "met": report.met,
        "conditions": [_condition_to_document(condition) for condition in report.conditions],
        "spare": None if report.spare is None else _spare_to_document(report.spare),
        "expected": {"p50_seconds": report.expected.p50, "p90_seconds": report.expected.p90},
    }


def read_unmet_verdicts(document: Mapping[str, Any] | None) -> tuple[Verdict, ...]:
    """Read from a document what was looked at and found not to be met; nothing without a document."""
    return tuple(
        Verdict(
            code=Code(condition["code"]),
            message=condition["message"],
            subject=_subject_from_document(condition["subject"]),
            severity=Severity(condition["severity"]),
            remedy=condition["remedy"],
        )
        for condition in (document or {}).get("conditions", ())
        if not condition["met"] and condition["code"] != Code.NOT_CHECKED
    )


def _subject_from_document(document: Mapping[str, Any]) -> Subject:
    """Read a subject; older documents have no name."""
    return Subject(type=SubjectType(document["type"]), id=document["id"], name=document.get("name"))


def _condition_to_document(condition: Condition) -> dict[str, Any]:
    return {
        "code": condition.code.value,
        "met": condition.met,
        "severity": condition.severity.value,
        "subject": {
            "type": condition.subject.type.value,
            "id": condition.subject.id,
            "name": condition.subject.name,
        },
        "message": condition.message,
        "remedy": condition.remedy,
    }


def _spare_to_document(spare: SpareProposal) -> dict[str, Any]:
    return {
        "nodes": spare.nodes,
        "domain": spare.domain,
        "inventory": {name: _inventory_to_document(i) for name, i in sorted(spare.inventory.items())},
        "traits": sorted(spare.traits),
        "alternatives": list(spare.alternatives),
    }


def _inventory_to_document(item: ResourceInventory) -> dict[str, Any]:
    """Write an inventory as a snapshot does, so that the proposed node can be added to one."""
    document: dict[str, Any] = {
        "total": item.total,
        "reserved": item.reserved,
        "allocation_ratio": item.allocation_ratio,
    }
    return document if item.max_unit is None else document | {"max_unit": item.max_unit}
