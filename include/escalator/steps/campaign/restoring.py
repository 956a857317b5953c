"""Restoring: to which backup a node is put back, what it runs then, and which run had it out last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from escalator.documents.bundles import parse_bundle
from escalator.documents.way_back import turn_back
from escalator.ledger.ledger import Ledger
from escalator.ledger.undoable import ChangedNode, UndoableRun
from escalator.model.backup import BackupKind, BackupRecord, RestoreOf
from escalator.model.campaign import RunOf
from escalator.model.errors import InvalidRequestError
from escalator.model.procedure import RESTORE, ROLLBACK, UPGRADE

_LIST = "see escalator backups list"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToRestore:
    """What a restore is to do.

    :ivar restores: the backup. :ivar saved_for: the run that it was taken for.
    :ivar holder: the run that had the node out last: what it left out of service is the restore's to mend.
    :ivar bundle_document: what the node runs then.
    """

    restores: RestoreOf
    saved_for: RunOf
    holder: RunOf
    bundle_document: Mapping[str, Any]


def find_to_restore(ledger: Ledger, part: str, *, cloud: str, host: str, backup_id: str | None) -> ToRestore:
    """Find out what the restore of a node is to do.

    :param part: what the ids of the DAGs of its domain have after the name of their procedure.
    :param backup_id: None: the newest one that was taken for an upgrade.
    :raises InvalidRequestError: the node cannot be put back: why, and what to do.
    """
    record = _find_record(ledger, f"{UPGRADE.name}{part}", cloud=cloud, host=host, backup_id=backup_id)
    run = ledger.undoable(record.campaign, record.run_id)
    node = next((one for one in run.nodes if one.host == host), None) if run is not None else None
    if run is None or node is None:
        raise InvalidRequestError(
            f"the ledger does not know that run {record.run_id} of {record.campaign}, which backup "
            f"{record.id} was taken for, changed {host}",
            remedy="nothing is to be put back if it did not; else do it by hand, see escalator backups show",
        )
    campaigns = [f"{procedure.name}{part}" for procedure in (UPGRADE, ROLLBACK, RESTORE)]
    holder = ledger.last_holder(campaigns, host)
    saved_for = RunOf(campaign=record.campaign, run_id=record.run_id, version=run.target_version)
    return ToRestore(
        restores=RestoreOf(backup=record.id, taken_at=record.taken_at),
        saved_for=saved_for,
        holder=saved_for
        if holder is None
        else RunOf(campaign=holder.campaign, run_id=holder.run_id, version=holder.target_version),
        bundle_document=_turn_back(run, node),
    )


def _find_record(
    ledger: Ledger, campaign: str, *, cloud: str, host: str, backup_id: str | None
) -> BackupRecord:
    book = ledger.backups()
    if backup_id is None:
        found = (one for one in book.list_all(cloud, host) if one.campaign == campaign)
        record = next((one for one in found if one.kind is BackupKind.NODE), None)
        if record is None:
            raise InvalidRequestError(
                f"there is no backup of {host} that was taken for a run of {campaign}", remedy=_LIST
            )
        return record
    record = book.find(backup_id)
    if record is None:
        raise InvalidRequestError(f"there is no backup {backup_id}", remedy=_LIST)
    if (record.kind, record.cloud, record.host) != (BackupKind.NODE, cloud, host):
        whose = f"{record.host or 'the cloud'} of {record.cloud}"
        said = f"backup {backup_id} is of {whose}, not of {host} of {cloud}"
        raise InvalidRequestError(said, remedy=_LIST)
    return record


def _turn_back(run: UndoableRun, node: ChangedNode) -> dict[str, Any]:
    """Return the bundle of a node that is put back; bundles without a rollback have a restore."""
    parse_bundle(run.bundle_document)
    return {
        **turn_back(run.bundle_document, node.before),
        "name": f"{run.bundle_document['name']}-restored",
    }


def describe_loss(found: ToRestore, host: str, now: datetime) -> str:
    """Say to what a node is put back, how old that is, and what is lost with it."""
    age = now - found.restores.taken_at
    hours, minutes = divmod(int(age.total_seconds()) // 60, 60)
    last = "" if found.holder == found.saved_for else f" and {found.holder}"
    return (
        f"{host} is put back to backup {found.restores.backup} of "
        f"{found.restores.taken_at.isoformat(timespec='seconds')}, {hours} h {minutes} min ago, before "
        f"{found.saved_for}{last}. What was changed on it since is lost: configuration, units, and the "
        "versions of the bundle's packages. Servers are moved away first, their data is not touched"
    )
