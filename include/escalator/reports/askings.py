"""When the managers of a node's servers were asked, when all had answered, and when the node went on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from escalator.model.campaign import Step
from escalator.model.notice import NoticeRecord, NoticeState
from escalator.model.step import Outcome
from escalator.reports.facts import CampaignFacts, StepRun
from escalator.reports.intervals import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One asking about a node. Times are aware.

    :ivar asked_at: when its first notice was queued.
    :ivar settled_at: when the last answer was there, or its time was over; None: neither has happened.
    :ivar went_on_at: when the switchover step began to act on the answers; None: it did not.
    """

    host: str
    asked_at: datetime
    settled_at: datetime | None
    went_on_at: datetime | None

    @property
    def own_seconds(self) -> float | None:
        """Return how long it took from the last answer until the step began to act on it.

        The time of the VNFs themselves, who are then looked at and switched, is not in it.
        """
        if self.settled_at is None or self.went_on_at is None:
            return None
        return (self.went_on_at - self.settled_at).total_seconds()


def find_askings(facts: CampaignFacts) -> tuple[Asking, ...]:
    """Find every asking about a node, with the time at which the node went on."""
    grouped: dict[tuple[str, int], list[NoticeRecord]] = {}
    for record in facts.notices:
        notice = record.notice
        if notice.state is NoticeState.PLANNED_MAINTENANCE and notice.host is not None:
            grouped.setdefault((notice.host, notice.round), []).append(record)
    return tuple(
        _make_asking(host, records, facts.steps_of(host)) for (host, _), records in sorted(grouped.items())
    )


def find_waits(facts: CampaignFacts) -> dict[str, list[Interval]]:
    """Return when answers were waited for: host -> times; nodes that nobody was asked about are not in it."""
    waits: dict[str, list[Interval]] = {}
    for asking in find_askings(facts):
        interval = Interval(asking.asked_at, asking.settled_at or facts.ended_at)
        waits.setdefault(asking.host, []).append(interval)
    return waits


def _make_asking(host: str, records: Sequence[NoticeRecord], runs: Iterable[StepRun]) -> Asking:
    settled = [_find_end_of_waiting(record) for record in records]
    known = [moment for moment in settled if moment is not None]
    settled_at = max(known) if len(known) == len(settled) else None
    begun = (
        max(run.started_at, settled_at)
        for run in runs
        if settled_at is not None and _acts(run) and run.ended_at is not None and run.ended_at >= settled_at
    )
    return Asking(
        host=host,
        asked_at=min(record.made_at for record in records),
        settled_at=settled_at,
        went_on_at=min(begun, default=None),
    )


def _acts(run: StepRun) -> bool:
    """Tell whether it acted on answers: it did more than to ask, and to wait on."""
    return run.step is Step.SWITCHOVER and (run.result != Outcome.WAITING or run.code is not None)


def _find_end_of_waiting(record: NoticeRecord) -> datetime | None:
    """Return when it was answered; of a silent one when its time was over, or nobody waited any more."""
    if record.replied_at is not None or record.closed_at is None:
        return record.replied_at
    reply_at = record.notice.reply_at
    return record.closed_at if reply_at is None else min(record.closed_at, reply_at)
