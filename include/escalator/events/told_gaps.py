"""The book of gaps that tells of a service that was interrupted for too long, as soon as it is known."""

from __future__ import annotations

from datetime import datetime

from escalator.events.event import Action
from escalator.events.teller import Teller
from escalator.ledger.database import Database
from escalator.ledger.gap_book import GapBook
from escalator.model.interruption import Gap
from escalator.model.verdict import Code, Subject, SubjectType

OVER = "over the limit"
"""Result of an interruption that may still go on; how long each was in the end is told with the report."""


class ToldGapBook(GapBook):
    """Records as :class:`GapBook` does; a gap that is too long is told, once.

    :param told: address and start of the gaps that were told.
    """

    def __init__(self, database: Database, teller: Teller, told: set[tuple[str, datetime]]) -> None:
        super().__init__(database)
        self._teller = teller
        self._told = told

    def record(self, gap: Gap) -> None:
        """Record a gap, and tell of it when it has become too long."""
        super().record(gap)
        key = (gap.address, gap.started_at)
        if not gap.too_long or key in self._told:
            return
        self._told.add(key)
        self._teller.tell(
            Action.INTERRUPTION,
            node=gap.host,
            subject=Subject(type=SubjectType.HA_GROUP, id=gap.group),
            result=OVER,
            code=Code.INTERRUPTION_SWITCH,
            message=f"{gap.address} has not answered for {gap.seconds:.1f} s, "
            f"{gap.allowed_seconds:g} s are allowed: {gap.cause}",
            seconds=gap.seconds,
        )
