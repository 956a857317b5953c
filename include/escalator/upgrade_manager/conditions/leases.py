"""Leases of others beside the targets: whether they keep nodes waiting, and whether anybody ends them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from escalator.model.check_report import Condition
from escalator.model.known_lease import KnownLease
from escalator.model.verdict import Code, Severity, Subject
from escalator.model.wording import name_some
from escalator.upgrade_manager.conditions.question import Family, Question, name_domain, unmet
from escalator.upgrade_manager.schedule.limits import find_leases_beside, find_limit, wait_for_places
from escalator.upgrade_manager.state.eligibility import REMEDY_OF_LEASE


def check_leases(question: Question, domain: str) -> Iterator[Condition]:
    """Find the leases of others because of which targets of a domain would not be admitted now."""
    others = {
        node.host: lease
        for node in question.snapshot.nodes
        if (lease := node.counting_lease) is not None and not question.plan.owns(node)
    }
    waiting: dict[str, list[str]] = {}
    for host in question.pending_in(domain) if others else ():
        beside = find_leases_beside(question.nodes[host], question.nodes, others)
        limit = find_limit(question.plan.request.max_parallel, beside.values())
        if len(beside) >= limit:
            waiting.setdefault(wait_for_places(host, beside, limit).message, []).append(host)
    for words, hosts in waiting.items():
        yield unmet(
            Code.PARALLEL_LIMIT,
            name_domain(domain),
            f"{name_some(hosts)} will not go while {words}",
            REMEDY_OF_LEASE,
            Severity.WARNING,
        )


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


FAMILY = Family(code=Code.PARALLEL_LIMIT, check=check_leases)
