"""Which backups may go: beyond the newest of each node, and of no run that somebody still needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from escalator.model.backup import BackupRecord
from escalator.model.errors import InvalidRequestError

KEPT = 3
"""So many of the newest backups of each node, and of each cloud, are kept whatever else."""
MOST = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OldBackup:
    """A backup beyond those that are kept.

    :ivar needed: why it is kept all the same; empty: it may go.
    """

    record: BackupRecord
    needed: str = ""


def find_old_backups(
    records: Iterable[BackupRecord], keep: int, find_need: Callable[[str, str], str]
) -> tuple[OldBackup, ...]:
    """Find the backups beyond the newest of each node and cloud, the oldest first.

    :param find_need: says of a run, by campaign and run id, why it is needed; empty: it is not.
    :raises InvalidRequestError: that number cannot be kept.
    """
    if not 1 <= keep <= MOST:
        raise InvalidRequestError(f"{keep} backups of each node cannot be kept", remedy=f"take 1 to {MOST}")
    newest_first = sorted(records, key=lambda record: (record.taken_at, record.id), reverse=True)
    seen: dict[tuple[str, str], int] = {}
    old = []
    for record in newest_first:
        of = record.cloud, record.host
        seen[of] = seen.get(of, 0) + 1
        if seen[of] > keep:
            old.append(OldBackup(record=record, needed=find_need(record.campaign, record.run_id)))
    return tuple(reversed(old))
