"""How a step ended, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from escalator.model.step import Outcome
from escalator.model.verdict import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """One step's end: what came of it, why, and details for the report, as the ledger stores them."""

    outcome: Outcome = Outcome.OK
    code: Code | None = None
    message: str = ""
    details: Mapping[str, object] = field(default_factory=dict)
