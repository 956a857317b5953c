"""Restores what switchovers on a node have changed for as long as it was out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from escalator.model.switch import SwitchMethod, SwitchRecord
from escalator.vim_interface.switching.act import SwitchBookSide
from escalator.vim_interface.switching.switcher import Switcher


def restore_switches(
    book: SwitchBookSide,
    campaign: str,
    run_id: str,
    host: str,
    *,
    switcher_of: Callable[[SwitchRecord], Switcher | None],
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> tuple[str, ...]:
    """Restore what the switchovers of a node changed; a second run goes on, and finds the rest restored.

    What a manager did is its own to restore.

    :param switcher_of: makes the means that a record was switched by; None: the VNF file has none any more.
    :return: what is not as it was before, in words.
    :raises TransientError: the cloud does not answer; what is restored until then stays so.
    """
    findings: list[str] = []
    for record in book.of_run(campaign, run_id):
        if record.host != host or not is_to_restore(record):
            continue
        switcher = switcher_of(record)
        if switcher is None or switcher.method != record.method:
            if record.found:
                findings.append(
                    f"group {record.group}: the VNF file has no switchover by {record.method} any more, "
                    f"what was found cannot be restored: {dict(record.found)}"
                )
            continue
        findings += [f"group {record.group}: {words}" for words in switcher.restore(record)]
        book.mark_restored(record, clock())
    return tuple(findings)


def is_to_restore(record: SwitchRecord) -> bool:
    """Tell whether a switchover is ours to restore, and was not restored yet."""
    return record.method is not SwitchMethod.VNFM and record.restored_at is None
