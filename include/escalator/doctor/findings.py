"""One finding of the doctor's, and its lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from escalator.model.errors import EscalatorError

SCHEMA = "escalator.doctor/1"
DEFAULT = "default"


class Health(StrEnum):
    """How something stands."""

    WELL = "well"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was looked at, what was found, where that is said, and what to do about it.

    :ivar source: the variable that says so, or ``default``.
    """

    about: str
    found: str
    source: str = ""
    health: Health = Health.WELL
    remedy: str | None = None


def find_source(environment: Mapping[str, str], name: str) -> str:
    """Return the variable that says so; ``default`` when it is not set."""
    return name if environment.get(name) else DEFAULT


def describe_fault(about: str, exc: Exception, source: str = "") -> Finding:
    """Say an error as a fault, in its own words."""
    message, remedy = (exc.message, exc.remedy) if isinstance(exc, EscalatorError) else (str(exc), None)
    return Finding(about=about, found=message, source=source, health=Health.FAULT, remedy=remedy)


def list_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Write the findings as plain lines, faults first."""
    order = list(reversed(Health))
    for finding in sorted(findings, key=lambda finding: order.index(finding.health)):
        source = f" ({finding.source})" if finding.source else ""
        yield f"{finding.health:<8} {finding.about}: {finding.found}{source}"
        if finding.remedy and finding.health is not Health.WELL:
            yield f"{'':<8} -> {finding.remedy}"


def findings_to_document(findings: Sequence[Finding]) -> dict[str, Any]:
    """Write the findings as a document."""
    return {"schema": SCHEMA, "findings": [asdict(finding) for finding in findings]}
