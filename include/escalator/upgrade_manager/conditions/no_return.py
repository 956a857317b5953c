"""Points of no return, from what a check found: which nodes are one-way, and from which node on all are."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.check_report import CheckReport
from escalator.model.no_return import NoReturn
from escalator.model.verdict import Code, SubjectType


def find_no_return(report: CheckReport, hosts: Sequence[str], order: Sequence[str]) -> NoReturn:
    """Gather which nodes of a campaign do not go back once they are changed.

    :param hosts: the nodes that are to be changed.
    :param order: those of them that can be emptied one after the other, as the check did on paper.
    """
    reasons: dict[str, str] = {}
    after: int | None = None
    for condition in report.unmet:
        if condition.code is Code.POINT_OF_NO_RETURN:
            before = len(order) - len(condition.hosts)
            after = before if after is None else min(after, before)
        elif condition.code is Code.NO_WAY_BACK:
            whole = condition.subject.type is SubjectType.BUNDLE and not condition.hosts
            for host in hosts if whole else condition.hosts:
                reasons.setdefault(host, condition.message)
    return NoReturn(reasons={host: reasons[host] for host in hosts if host in reasons}, after=after)
