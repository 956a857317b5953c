"""Leases of others beside the targets: whether they keep nodes waiting, and whether anybody ends them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from escalator.model.check_report import Condition
from escalator.model.cloud import Node
from escalator.model.known_lease import KnownLease
from escalator.model.verdict import Code, Severity, Subject
from escalator.upgrade_manager.conditions.question import Family, Question, name_domain, name_some, unmet
from escalator.upgrade_manager.state.domains import are_neighbours


def check_leases(question: Question, domain: str) -> Iterator[Condition]:
    """Find the leases of others because of which targets of a domain would not be admitted now."""
    others = [
        node
        for node in question.snapshot.nodes
        if node.lease is not None and node.lease.mark is None and not question.owns(node)
    ]
    waiting: dict[tuple[str, ...], list[str]] = {}
    for host in question.pending_in(domain):
        beside = [node for node in others if are_neighbours(question.nodes[host], node)]
        if beside and len(beside) >= _find_limit(question, beside):
            waiting.setdefault(tuple(sorted(node.host for node in beside)), []).append(host)
    for holding, hosts in waiting.items():
        nodes = [question.nodes[host] for host in holding]
        holders = ", ".join(f"{n.host} is out for {n.lease.holder}" for n in nodes if n.lease is not None)
        limit = _find_limit(question, nodes)
        yield unmet(
            Code.PARALLEL_LIMIT,
            name_domain(domain),
            f"{name_some(hosts)} will not go while {holders}: at most {limit} at once",
            "wait for that campaign; if it does not go on any more, `escalator leases` says what can be done",
            Severity.WARNING,
        )


def _find_limit(question: Question, beside: Iterable[Node]) -> int:
    """Return how many nodes may be out, as admission counts them."""
    limits = (node.lease.max_parallel or 1 for node in beside if node.lease is not None)
    return min((question.plan.request.max_parallel, *limits))


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


FAMILY = Family(code=Code.PARALLEL_LIMIT, check=check_leases, says=lambda _question, _domain: "")
