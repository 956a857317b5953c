"""The book of switchovers that tells what is written into it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from escalator.events.event import Action
from escalator.events.teller import Teller
from escalator.ledger.database import Database
from escalator.ledger.switch_book import SwitchBook
from escalator.model.step import Step
from escalator.model.switch import SwitchRecord
from escalator.model.verdict import Subject, SubjectType


class ToldSwitchBook(SwitchBook):
    """Records as :class:`SwitchBook` does, and then tells it.

    :param teller: tells what was recorded.
    """

    def __init__(self, database: Database, teller: Teller) -> None:
        super().__init__(database)
        self._teller = teller

    def begin(self, record: SwitchRecord) -> SwitchRecord:
        """Record a switchover before the act, and tell of one that was not begun before."""
        begun = super().begin(record)
        if begun.begun_at == record.begun_at:
            self._tell(begun, "begun", begun.begun_at)
        return begun

    def note(self, record: SwitchRecord, since: datetime) -> bool:
        """Record a switchover that a manager did, and tell of it when it was not recorded yet."""
        is_new = super().note(record, since)
        if is_new:
            self._tell(record, _describe_end(record), record.ended_at)
        return is_new

    def end(self, record: SwitchRecord) -> None:
        """Record how a switchover ended, and tell of it."""
        super().end(record)
        self._tell(record, _describe_end(record), record.ended_at)

    def mark_restored(self, record: SwitchRecord, now: datetime, words: Sequence[str] = ()) -> None:
        """Record that what was found is restored, and tell of it."""
        super().mark_restored(record, now, words)
        self._tell(record, "restored", now, "; ".join(words))

    def note_not_restored(self, record: SwitchRecord, words: Sequence[str]) -> None:
        """Record why what was found is not restored, and tell of it."""
        super().note_not_restored(record, words)
        self._tell(record, "not restored", None, "; ".join(words))

    def _tell(
        self, record: SwitchRecord, result: str, at: datetime | None, message: str | None = None
    ) -> None:
        ended = record.ended_at
        self._teller.tell(
            Action.SWITCH,
            at=at,
            node=record.host,
            subject=Subject(type=SubjectType.HA_GROUP, id=record.group),
            step=Step.SWITCHOVER,
            result=result,
            message=record.message if message is None else message,
            seconds=(ended - record.begun_at).total_seconds() if ended and at == ended else None,
            details={"method": str(record.method), "from": record.from_server, "to": record.to_server},
        )


def _describe_end(record: SwitchRecord) -> str:
    return "verified" if record.verified else "not verified"
