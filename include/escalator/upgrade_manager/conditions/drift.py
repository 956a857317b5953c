"""Drift of versions between the nodes of a domain: what was read on the nodes, said once a component."""

from __future__ import annotations

from collections.abc import Iterator

from escalator.model.check_report import Condition
from escalator.model.cloud import Node
from escalator.model.node_software import sort_components
from escalator.model.verdict import Code, Severity
from escalator.upgrade_manager.conditions.question import Family, Question, count, name_domain, unmet
from escalator.upgrade_manager.state.drift import JUDGED_ELSEWHERE, find_drift


def check_drift(question: Question, domain: str) -> Iterator[Condition]:
    """Name each component of which the nodes of a domain have different versions, and the odd nodes."""
    for drift in find_drift(_nodes(question, domain), question.bundle):
        yield unmet(
            Code.VERSIONS_DIFFER,
            name_domain(domain),
            f"its nodes differ in {drift}",
            "bring the odd ones to what the others run, or see that the bundle brings it to all",
            Severity.WARNING,
        )


def _nodes(question: Question, domain: str) -> tuple[Node, ...]:
    return tuple(question.nodes[host] for host in question.hosts_of[domain])


def _says(question: Question, domain: str) -> str:
    """Say what all nodes run that told it: each component once, as none differs."""
    told = {name: v for node in _nodes(question, domain) for name, v in node.versions.items()}
    alike = [f"{name} {told[name]}" for name in sort_components(told) if name not in JUDGED_ELSEWHERE]
    tell = [n for n in _nodes(question, domain) if not n.versions.keys() <= JUDGED_ELSEWHERE]
    return f"{count(len(tell), 'node')} told the same: {', '.join(alike)}" if alike else ""


FAMILY = Family(code=Code.VERSIONS_ALIKE, check=check_drift, says=_says)
