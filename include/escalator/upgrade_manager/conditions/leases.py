"""Leases in the cloud that nobody ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from escalator.model.check_report import Condition
from escalator.model.known_lease import KnownLease
from escalator.model.verdict import Code, Severity, Subject
from escalator.upgrade_manager.conditions.question import unmet


def check_orphans(leases: Iterable[KnownLease]) -> Iterator[Condition]:
    """Find the leases that nobody ends: they count against every campaign's limit for ever."""
    for known in leases:
        if known.ownerless:
            yield unmet(
                Code.LEASE_ORPHANED,
                Subject.of_node(known.host),
                f"{known.story}: it counts against max_parallel all the same",
                f"`escalator leases` says what can be done about {known.host}",
                Severity.WARNING,
            )
