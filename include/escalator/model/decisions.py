"""Decisions of the upgrade manager about nodes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from escalator.model.verdict import Code


class Admission(StrEnum):
    """What a node may do now."""

    ADMIT = "admit"
    WAIT = "wait"
    SKIP = "skip"
    HOLD = "hold"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionDecision:
    """The decision for one node, with its reason in words an operator understands."""

    host: str
    admission: Admission
    code: Code
    message: str
