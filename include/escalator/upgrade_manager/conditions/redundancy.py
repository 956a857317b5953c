"""Redundancy of the infrastructure: every server of every target has a place elsewhere, on paper."""

from __future__ import annotations

from collections.abc import Iterator

from escalator.model.check import Condition
from escalator.model.verdict import Code, Severity
from escalator.upgrade_manager.capacity import CapacityBook
from escalator.upgrade_manager.conditions.question import (
    Family,
    Question,
    count,
    domain_subject,
    node_subject,
    unmet,
)
from escalator.upgrade_manager.domains import neighbours
from escalator.upgrade_manager.placing import simulate


def check_capacity(question: Question, domain: str) -> Iterator[Condition]:
    """Simulate each target's drain alone.

    A node that lacks room only while others are out is warned of: they may return.
    """
    for host in question.pending_in(domain):
        simulation = simulate(question.book, {host})
        if simulation.feasible:
            continue
        passing = any(
            n.lease is not None and n.lease.mark is None for n in neighbours(question.snapshot, host)
        )
        yield unmet(
            Code.CAPACITY,
            node_subject(host),
            simulation.shortfall,
            "add or free capacity in the domain, or leave the node out",
            Severity.WARNING if passing else Severity.BLOCKER,
        )


def check_parallel(question: Question, domain: str) -> Iterator[Condition]:
    """Say how many nodes can be out at once when the capacity does not carry what was asked for."""
    book = question.book
    drainable = [host for host in question.pending_in(domain) if simulate(book, {host}).feasible]
    wanted = min(question.max_parallel, len(drainable))
    works = next((k for k in range(wanted, 1, -1) if _crowded(book, drainable, k) is None), 1)
    if works >= wanted:
        return
    together = _crowded(book, drainable, works + 1) or ()
    yield unmet(
        Code.REQUEST_PARALLEL_IMPOSSIBLE,
        domain_subject(domain),
        f"max_parallel={question.max_parallel} is more than the capacity carries: "
        f"{', '.join(together)} cannot be out together; {works} works",
        f"ask for max_parallel={works}; otherwise nodes wait until there is room",
        Severity.WARNING,
    )


def _crowded(book: CapacityBook, hosts: list[str], together: int) -> tuple[str, ...] | None:
    """Return the first nodes that follow one another in the plan and cannot be out together."""
    groups = (tuple(hosts[start : start + together]) for start in range(len(hosts) - together + 1))
    return next((group for group in groups if not simulate(book, group).feasible), None)


def _says_capacity(question: Question, domain: str) -> str:
    pending = question.pending_in(domain)
    servers = len(question.book.movable(pending))
    return (
        f"{count(servers, 'server')} of {count(len(pending), 'node')} have a place elsewhere"
        if pending
        else ""
    )


def _says_parallel(question: Question, domain: str) -> str:
    pending = question.pending_in(domain)
    return f"max_parallel={question.max_parallel} is carried by the capacity" if pending else ""


CAPACITY = Family(code=Code.CAPACITY, check=check_capacity, says=_says_capacity)
PARALLEL = Family(code=Code.PARALLEL_CARRIED, check=check_parallel, says=_says_parallel)
