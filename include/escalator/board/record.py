"""What a board is made from, read from the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from escalator.ledger.ledger import Ledger
from escalator.ledger.records import Document, StepRecord
from escalator.model.campaign import CampaignPlan, LedgerView
from escalator.model.errors import NotFoundError


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRecord:
    """All that the ledger has of one run, as far as the board shows it.

    :ivar concluded: its report was written: no task of it is at work any more.
    :ivar versions_before: host -> the release that was first seen on it.
    """

    plan: CampaignPlan
    opened_at: datetime
    view: LedgerView = field(default_factory=LedgerView)
    steps: tuple[StepRecord, ...] = ()
    versions_before: Mapping[str, str] = field(default_factory=dict)
    concluded: bool = False


def read_record(ledger: Ledger, dag_id: str, run_id: str) -> BoardRecord:
    """Read what a board is made from.

    :raises NotFoundError: the ledger has no such run.
    :raises InvalidRequestError: its plan is of another release's form.
    :raises TransientError: when the database is away or busy.
    """
    run = ledger.run(dag_id, run_id)
    plan, opened_at = run.plan(), run.opened_at()
    if plan is None or opened_at is None:
        raise NotFoundError(
            f"the ledger has no run {run_id} of {dag_id}",
            remedy="wait until its task check_conditions has ended, or see its log",
        )
    return BoardRecord(
        plan=plan,
        opened_at=opened_at,
        view=run.view(),
        steps=run.steps(),
        versions_before=run.versions_before(),
        concluded=any(run.document(kind) is not None for kind in (Document.REPORT, Document.SETTLED)),
    )
