"""Redundancy of the infrastructure: every server of every target has a place elsewhere, on paper."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from escalator.model.check_report import Condition
from escalator.model.cloud import Server
from escalator.model.verdict import Code, Severity, Subject
from escalator.model.wording import name_some
from escalator.upgrade_manager.conditions.question import Family, Question, count, name_domain, unmet
from escalator.upgrade_manager.drain.placing import simulate
from escalator.upgrade_manager.state.capacity import CapacityBook

_FEW = 64
"""Of up to so many nodes every group that follows one another is simulated, of more a sample."""
_SIMULATED = 1000
"""Drains that are simulated for one number of nodes, about, when they are many."""


def check_capacity(question: Question, domain: str) -> Iterator[Condition]:
    """Empty the targets one after the other on paper.

    A node that lacks room only while others are out is warned of: they may return. So is one that VNFs can
    make room for: their managers are asked to scale in before the first node goes.
    """
    going = question.scale_in.get(domain, ())
    severity = Severity.WARNING if question.passing(domain) or going else Severity.BLOCKER
    remedy = "add or free capacity in the domain, or leave the node out"
    if going:
        remedy = f"the managers of VNFs are asked to scale in by {_count_by_project(going)}; or {remedy}"
    for host in question.pending_in(domain):
        if host not in question.sequence.stuck:
            continue
        yield unmet(
            Code.CAPACITY,
            Subject.of_node(host),
            question.sequence.stuck[host].shortfall,
            remedy,
            severity,
        )


def _count_by_project(servers: Sequence[Server]) -> str:
    """Say how many servers of each project: ``2 servers of project p``."""
    counted = Counter(server.project_id for server in servers)
    return ", ".join(f"{count(number, 'server')} of project {p}" for p, number in sorted(counted.items()))


def check_parallel(question: Question, domain: str) -> Iterator[Condition]:
    """Say how many nodes can be out at once when the capacity does not carry what was asked for."""
    works, together = find_carried(question, domain)
    if not together:
        return
    asked, share = question.plan.request.max_parallel, compute_share(question, domain)
    fitting = works * len(question.pending) // len(question.pending_in(domain))
    part = "" if share == asked else f" (up to {share} in this domain)"
    yield unmet(
        Code.REQUEST_PARALLEL_IMPOSSIBLE,
        name_domain(domain),
        f"max_parallel={asked}{part} is more than the capacity carries: {name_some(together)} cannot be out "
        f"together; {works} works",
        f"ask for max_parallel={fitting}; otherwise nodes wait until there is room",
        Severity.WARNING,
    )


def compute_share(question: Question, domain: str) -> int:
    """Return how many nodes of a domain are out at once when each domain gets its fair share."""
    pending = question.pending_in(domain)
    share = question.plan.request.max_parallel * len(pending) / max(1, len(question.pending))
    return min(len(pending), math.ceil(share))


def find_carried(question: Question, domain: str) -> tuple[int, Sequence[str]]:
    """Return how many nodes that follow one another in the plan can be out at once, up to the fair share.

    :return: the number, and the first nodes that cannot be when one more is out; none when all can.
    """
    hosts = _ready(question, domain)
    works, fails = 1, min(compute_share(question, domain), len(hosts)) + 1
    together: Sequence[str] = ()
    tried = fails - 1
    while fails - works > 1:
        crowded = _crowded(question.book, hosts, tried)
        if crowded:
            fails, together = tried, crowded
        else:
            works = tried
        tried = fails - 1 if len(hosts) <= _FEW else (works + fails) // 2
    return works, together


def _ready(question: Question, domain: str) -> list[str]:
    """Return the targets whose servers have a place now; of many, it is tried with those that are asked."""
    hosts = [host for host in question.pending_in(domain) if host not in question.sequence.stuck]
    return [host for host in hosts if len(hosts) > _FEW or simulate(question.book, {host}).feasible]


def _crowded(book: CapacityBook, hosts: Sequence[str], together: int) -> Sequence[str]:
    """Return the first nodes that follow one another in the plan and cannot be out together."""
    starts = range(len(hosts) - together + 1)
    if len(hosts) > _FEW:
        starts = starts[:: max(together, len(starts) * together // _SIMULATED)]
    groups = (hosts[start : start + together] for start in starts)
    return next((group for group in groups if not simulate(book, group).feasible), ())


def _says_capacity(question: Question, domain: str) -> str:
    pending = question.pending_in(domain)
    if not pending:
        return ""
    servers = len(question.book.movable(pending))
    return f"{count(servers, 'server')} of {count(len(pending), 'node')} have a place elsewhere, node by node"


def _says_parallel(question: Question, domain: str) -> str:
    pending = question.pending_in(domain)
    if not pending or not question.sequence.stuck.keys().isdisjoint(pending):
        return ""
    return f"the capacity carries max_parallel={question.plan.request.max_parallel}"


CAPACITY = Family(code=Code.CAPACITY, check=check_capacity, says=_says_capacity)
PARALLEL = Family(code=Code.PARALLEL_CARRIED, check=check_parallel, says=_says_parallel)
