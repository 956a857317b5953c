"""One switchover, from the look at who has the service to the look that it has left.

It is written down before it is done. A second run, after whatever end of the first one, looks first: a
service that is away already is not switched again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from escalator.model.errors import EscalatorError, SupersededError, TransientError
from escalator.model.switch import SwitchRecord
from escalator.vim_interface.switching.switcher import RoleView, Seen, Switcher

LIMIT_SECONDS = 60.0
"""For how long it is looked whether the service has left."""
_LOOK_AGAIN_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""The pauses between looks; the last one is repeated."""

log = logging.getLogger(__name__)


class SwitchBookSide(Protocol):
    """What is needed of the ledger's book of switchovers."""

    def begin(self, record: SwitchRecord) -> SwitchRecord:
        """Write a switchover down before it is done; one that is there and not restored stays."""

    def note(self, record: SwitchRecord, since: datetime) -> bool:
        """Write down what a manager did, once for what it said then; tell whether it was new."""

    def end(self, record: SwitchRecord) -> None:
        """Write down how it ended."""

    def of_run(self, campaign: str, run_id: str) -> tuple[SwitchRecord, ...]:
        """Return the switchovers of a run."""

    def mark_restored(self, record: SwitchRecord, now: datetime, words: Sequence[str] = ()) -> None:
        """Write down that what had to be restored was restored, and what is not as it was all the same."""

    def note_not_restored(self, record: SwitchRecord, words: Sequence[str]) -> None:
        """Write down why it could not be restored."""


class SwitchOutcome(StrEnum):
    """How a switchover ended.

    switched: it was done and is seen. away: the service was elsewhere already, nothing was done. unseen: it
    was done, perhaps, and cannot be seen. failed: the service is still there.
    """

    SWITCHED = "switched"
    AWAY = "away"
    UNSEEN = "unseen"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchOrder:
    """What is to be switched over: the service of a group, away from a server of a node.

    :ivar to_server: the member that takes over; None: the others share the service.
    :ivar is_active: the server is said to have the service; counts where it cannot be seen.
    """

    campaign: str
    run_id: str
    host: str
    group: str
    from_server: str
    to_server: str | None
    is_active: bool = True
    limit_seconds: float = LIMIT_SECONDS

    def is_of(self, record: SwitchRecord) -> bool:
        """Tell whether a record is one of this switchover, whoever was to take over."""
        mine = (self.campaign, self.run_id, self.host, self.group, self.from_server)
        return mine == (record.campaign, record.run_id, record.host, record.group, record.from_server)


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchResult:
    """How a switchover ended, in words; ``record`` is None when nothing was done by us."""

    outcome: SwitchOutcome
    words: str
    record: SwitchRecord | None = None


def switch_over(
    switcher: Switcher,
    book: SwitchBookSide,
    order: SwitchOrder,
    *,
    before_act: Callable[[], None] = lambda: None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> SwitchResult:
    """Let the service of a group leave a server; a second run finishes, or finds it done.

    :param before_act: raises when the node is not ours any more; asked right before the cloud is written to.
    :raises TransientError: who has the service cannot be looked up now; nothing was written.
    """
    act = _Act(switcher, book, order, clock, sleep)
    earlier = next((r for r in reversed(book.of_run(order.campaign, order.run_id)) if order.is_of(r)), None)
    if earlier is not None and earlier.restored_at is not None:  # the node was given back since: it is over
        earlier = None
    try:
        role = switcher.find_role()
    except TransientError:
        raise
    except EscalatorError as exc:
        return SwitchResult(outcome=SwitchOutcome.FAILED, words=str(exc), record=earlier)
    if earlier is not None and earlier.ended_at is None:
        return act.go_on(earlier, role, before_act)
    return _find_nothing_to_do(order, earlier, role) or act.begin(before_act)


def _find_nothing_to_do(
    order: SwitchOrder, earlier: SwitchRecord | None, role: RoleView
) -> SwitchResult | None:
    """Return the result when nothing is to be done; None when it is to be switched, or tried once more.

    :param earlier: the switchover of an earlier run, which has ended.
    """
    seen = role.see(order.from_server)
    if earlier is not None and earlier.verified:
        if seen is Seen.THERE:
            words = f"the service has come back after it was switched: {role.words}"
            return SwitchResult(outcome=SwitchOutcome.FAILED, words=words, record=earlier)
        return SwitchResult(outcome=SwitchOutcome.SWITCHED, words=role.words, record=earlier)
    if seen is Seen.LEFT:
        return SwitchResult(outcome=SwitchOutcome.AWAY, words=role.words)
    if seen is Seen.UNSEEN and (earlier is not None or not order.is_active):
        return SwitchResult(outcome=SwitchOutcome.UNSEEN, words=role.words, record=earlier)
    return None


class _Act:
    """One run of one switchover."""

    def __init__(
        self,
        switcher: Switcher,
        book: SwitchBookSide,
        order: SwitchOrder,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> None:
        self._switcher = switcher
        self._book = book
        self._order = order
        self._clock = clock
        self._sleep = sleep

    def begin(self, before_act: Callable[[], None]) -> SwitchResult:
        """Write it down, do it, and look."""
        order = self._order
        try:
            found = self._switcher.find_state(order.from_server, order.to_server)
        except TransientError:
            raise
        except EscalatorError as exc:
            return SwitchResult(outcome=SwitchOutcome.FAILED, words=str(exc))
        before_act()
        record = self._book.begin(
            SwitchRecord(
                campaign=order.campaign,
                run_id=order.run_id,
                host=order.host,
                group=order.group,
                method=self._switcher.method,
                from_server=order.from_server,
                to_server=order.to_server,
                begun_at=self._clock(),
                found=found,
            )
        )
        if record.ended_at is not None:  # an earlier run has failed: this one has its own time
            record = replace(record, begun_at=self._clock())
        return self._do(replace(record, to_server=order.to_server))

    def go_on(self, record: SwitchRecord, role: RoleView, before_act: Callable[[], None]) -> SwitchResult:
        """Go on after a run that has written it down and did not come to its end.

        What may not be repeated may still be under way: it is looked for a while before it is done again,
        and it is not done again where nothing can be seen.
        """
        if role.see(record.from_server) is not Seen.LEFT and not self._switcher.repeatable:
            role = self._look_until_left(record.from_server)
        seen = role.see(record.from_server)
        if seen is Seen.LEFT or (seen is Seen.UNSEEN and not self._switcher.repeatable):
            return self._end(record, role)
        before_act()
        return self._do(replace(record, to_server=self._order.to_server))

    def _do(self, record: SwitchRecord) -> SwitchResult:
        trouble = ""
        try:
            self._switcher.switch(record)
        except SupersededError:
            raise
        except TransientError as exc:
            trouble = f"; {exc}"
        except EscalatorError as exc:
            trouble = f"; {exc}"
            role = self._switcher.find_role()
            return self._end(record, role, trouble)
        return self._end(record, self._look_until_left(record.from_server), trouble)

    def _look_until_left(self, server_id: str) -> RoleView:
        """Look again and again until the service has left a server, or the limit is over."""
        began = self._clock()
        pauses = iter(_LOOK_AGAIN_SECONDS)
        pause = _LOOK_AGAIN_SECONDS[-1]
        while True:
            try:
                role = self._switcher.find_role()
            except TransientError as exc:
                role = RoleView(unknown=frozenset({server_id}), words=str(exc))
            if role.blind or role.see(server_id) is Seen.LEFT:
                return role
            if (self._clock() - began).total_seconds() >= self._order.limit_seconds:
                return role
            pause = next(pauses, pause)
            self._sleep(pause)

    def _end(self, record: SwitchRecord, role: RoleView, trouble: str = "") -> SwitchResult:
        """Write down how it ended; what is open on the server is waited for before."""
        seen = role.see(record.from_server)
        if seen is Seen.LEFT:
            self._switcher.finish(record)
        outcome = {
            Seen.LEFT: SwitchOutcome.SWITCHED,
            Seen.THERE: SwitchOutcome.FAILED,
            Seen.UNSEEN: SwitchOutcome.UNSEEN,
        }[seen]
        words = f"{role.words}{'' if seen is Seen.LEFT else trouble}"
        ended = replace(record, ended_at=self._clock(), verified=seen is Seen.LEFT, message=words)
        if seen is Seen.THERE:
            ended = replace(ended, to_server=None)  # nobody took it over
        self._book.end(ended)
        log.info("%s: group %s: %s: %s", record.host, record.group, outcome, words)
        return SwitchResult(outcome=outcome, words=words, record=ended)
