"""What the ledger returns: attempts, steps, campaigns; and how rows become values of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from escalator.ledger.codec import from_json
from escalator.ledger.tables import CampaignRow, MoveRow, NodeRow, StepRow
from escalator.model.campaign import CampaignPlan, LedgerView, NodeProgress, NodeState, Step
from escalator.model.errors import InvalidRequestError
from escalator.model.lease import LeaseMark
from escalator.model.moves import MoveMethod, MoveRecord
from escalator.model.step import Outcome
from escalator.model.verdict import Code

PLAN_VERSION = 1
END_UNKNOWN = "end_unknown"
"""Among the details of an attempt: it was found without an end, and closed at that time."""


class Document(StrEnum):
    """The documents that a campaign keeps.

    SETTLED stands in for the report of a run that was deleted in Airflow: nobody will conclude it any more.
    """

    BUNDLE = "bundle"
    SNAPSHOT_BEFORE = "snapshot_before"
    SNAPSHOT_AFTER = "snapshot_after"
    CHECK = "check"
    PLAN = "plan"
    REPORT = "report"
    SCALING = "scaling"
    ALERTS = "alerts"
    OWN_ROLLBACKS = "own_rollbacks"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAttempt:
    """An attempt that has begun; ``fence`` is higher than that of every earlier attempt on the node."""

    id: int
    fence: int
    host: str
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """An attempt; ``result`` and ``ended_at`` are None while it runs, or until somebody finds it cut off."""

    id: int
    host: str
    step: Step
    fence: int
    try_number: int
    begun_at: datetime
    ended_at: datetime | None = None
    result: Outcome | None = None
    code: Code | None = None
    message: str = ""
    api_calls: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def known_end(self) -> datetime | None:
        """Return when it ended; None without an end, and when only its being found is on record."""
        return None if self.details.get(END_UNKNOWN) else self.ended_at


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignSummary:
    """One line of the board: a run and how many of its nodes stand how.

    :ivar concluded: its report was written, or it was settled: nothing of it goes on any more.
    :ivar plan, view: what it goes by and how it stands, of a run that goes on; None of others.
    """

    campaign: str
    run_id: str
    dag_id: str
    opened_at: datetime
    bundle: str
    target_version: str
    nodes: Mapping[NodeState, int]
    concluded: bool = False
    plan: CampaignPlan | None = None
    view: LedgerView | None = None


def plan_of(row: CampaignRow) -> CampaignPlan:
    """Read the plan of a run.

    :raises InvalidRequestError: it is of another release's form.
    """
    version = row.plan.get("schema_version")
    if version != PLAN_VERSION:
        raise InvalidRequestError(
            f"the plan of run {row.run_id} has schema version {version}, this release reads {PLAN_VERSION}",
            remedy="finish the campaign with the release that began it",
        )
    return from_json(CampaignPlan, row.plan)


def read_progress(row: NodeRow) -> NodeProgress:
    """Read how a node stands."""
    return NodeProgress(
        host=row.host,
        state=NodeState(row.state),
        code=Code(row.code) if row.code else None,
        message=row.message,
        since=row.since,
        mark=LeaseMark(row.mark) if row.mark else None,
    )


def read_step(row: StepRow, host: str) -> StepRecord:
    """Read an attempt."""
    return StepRecord(
        id=row.id,
        host=host,
        step=Step(row.step),
        fence=row.fence,
        try_number=row.try_number,
        begun_at=row.begun_at,
        ended_at=row.ended_at,
        result=Outcome(row.result) if row.result else None,
        code=Code(row.code) if row.code else None,
        message=row.message,
        api_calls=row.api_calls,
        details=row.details,
    )


def move_of(row: MoveRow) -> MoveRecord:
    """Read a move."""
    return MoveRecord(
        server_id=row.server_id,
        server_name=row.server_name,
        from_host=row.from_host,
        to_host=row.to_host,
        method=MoveMethod(row.method),
        succeeded=row.succeeded,
        started_at=row.started_at,
        ended_at=row.ended_at,
        migration=row.migration,
        code=Code(row.code) if row.code else None,
        message=row.message,
        interruption_ms=row.interruption_ms,
    )


def move_values(record: MoveRecord) -> dict[str, Any]:
    """Return the columns of a move."""
    return {
        "server_id": record.server_id,
        "server_name": record.server_name,
        "from_host": record.from_host,
        "to_host": record.to_host,
        "method": record.method.value,
        "succeeded": record.succeeded,
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "migration": record.migration,
        "code": record.code.value if record.code else None,
        "message": record.message,
        "interruption_ms": record.interruption_ms,
    }
