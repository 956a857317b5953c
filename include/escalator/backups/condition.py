"""What a check says of backups: that none are taken, or that the store can be used."""

from __future__ import annotations

from escalator.backups.desk import BackupDesk
from escalator.model.check_report import Condition
from escalator.model.errors import EscalatorError
from escalator.model.verdict import Code, Severity, Subject
from escalator.settings.places import BACKUP_VARIABLE
from escalator.upgrade_manager.conditions.question import met, unmet


def warn_of_none(cloud: str) -> Condition:
    """Say that no store is set: nodes are changed without what they had being saved."""
    return unmet(
        Code.BACKUP_MISSING,
        Subject.of_cloud(cloud),
        f"no backup of a node is taken before it is changed: {BACKUP_VARIABLE} is not set",
        f"set {BACKUP_VARIABLE} for the workers, to a folder or a URL off the nodes",
        Severity.WARNING,
    )


def check_store(cloud: str, desk: BackupDesk | None, *, dumps: bool = False) -> Condition:
    """Write, read and delete a small file in the store: whoever cannot do that saves no node.

    :param dumps: the operator has declared a dump of the databases, which needs a store.
    """
    subject = Subject.of_cloud(cloud)
    if desk is None:
        if not dumps:
            return warn_of_none(cloud)
        return unmet(
            Code.BACKUP_FAILED,
            subject,
            f"a dump of the databases is declared, and {BACKUP_VARIABLE} is not set: nothing keeps its place",
            f"set {BACKUP_VARIABLE} for the workers, or take dump out of the inventory settings",
        )
    try:
        count = len(desk.paths)
        store = desk.keeper.store
        store.prove()
    except EscalatorError as exc:
        return unmet(
            Code.BACKUP_FAILED, subject, exc.message, exc.remedy or "see whether it answers, then start again"
        )
    words = f"each node is saved to {store.shown} before it is changed, {count} path(s) of it at most"
    return met(Code.BACKUP_READY, subject, words)
