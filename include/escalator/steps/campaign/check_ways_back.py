"""To what each node would go back, or why it is one-way: as the nodes tell it, before the start."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from escalator.model.bundle import Bundle
from escalator.model.check_report import Condition
from escalator.model.verdict import Code, Severity, Subject
from escalator.model.way_back import WayBack
from escalator.model.wording import name_some
from escalator.upgrade_manager.conditions.question import met, unmet

REMEDY = "have a backup of these nodes, or bring back on them what is missing, before the start"


def check_ways_back(
    bundle: Bundle, hosts: Collection[str], ways: Mapping[str, WayBack], *, is_needed: bool = False
) -> Iterator[Condition]:
    """Say each way back once, for all the nodes that have it; a node that is one-way is warned of.

    :param ways: host -> its way back, of the nodes that were asked.
    :param is_needed: a failed node is to be taken back by itself: one that is one-way does not begin.
    """
    severity = Severity.BLOCKER if is_needed else Severity.WARNING
    remedy = f"{REMEDY}; or say on_failed_node: quarantine" if is_needed else REMEDY
    subject = Subject.of_bundle(bundle.name)
    alike: dict[str, list[str]] = {}
    for host in hosts:
        if host in ways:
            alike.setdefault(str(ways[host]), []).append(host)
    for said, those in alike.items():
        message = f"{name_some(those)}: {said}"
        if not ways[those[0]].is_one_way:
            yield met(Code.WAY_BACK, subject, message)
            continue
        yield unmet(Code.NO_WAY_BACK, subject, message, remedy, severity, hosts=those)
