"""Restores what switchovers on a node have changed for as long as it was out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from escalator.model.errors import EscalatorError, InvalidRequestError, TransientError
from escalator.model.switch import SwitchRecord
from escalator.vim_interface.switching.act import SwitchBookSide
from escalator.vim_interface.switching.switcher import Switcher

SwitcherOf = Callable[[SwitchRecord], Switcher | None]


def restore_switches(
    book: SwitchBookSide,
    campaign: str,
    run_id: str,
    host: str,
    *,
    switcher_of: SwitcherOf,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> tuple[str, ...]:
    """Restore what the switchovers of a node changed; a second run goes on, and finds the rest restored.

    What a manager did is its own to restore. One that cannot be restored keeps no other one from it; why is
    recorded.

    :param switcher_of: makes the means that a record was switched by; None: the VNF file has none any more.
    :return: what is not as it was before, in words.
    :raises TransientError: the cloud does not answer; what could be restored is.
    """
    findings: list[str] = []
    away: TransientError | None = None
    for record in book.of_run(campaign, run_id):
        if record.host != host or not record.is_open:
            continue
        try:
            words = _restore_one(record, switcher_of)
        except EscalatorError as exc:
            away = exc if isinstance(exc, TransientError) else away
            words = (str(exc),)
            book.note_not_restored(record, words)
        else:
            book.mark_restored(record, clock(), words)
        findings += [f"group {record.group}: {word}" for word in words]
    if away is not None:
        raise away
    return tuple(findings)


def _restore_one(record: SwitchRecord, switcher_of: SwitcherOf) -> tuple[str, ...]:
    if not record.is_to_restore:
        return ()
    switcher = switcher_of(record)
    if switcher is None or switcher.method != record.method:
        raise InvalidRequestError(
            f"the VNF file has no switchover by {record.method} any more",
            remedy=f"write it there again, and clear {record.host}.release",
        )
    return switcher.restore(record)
