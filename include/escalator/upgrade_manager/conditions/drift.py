"""Drift of versions between the nodes of a domain: what was read on the nodes, said once a component."""

from __future__ import annotations

from collections.abc import Iterator

from escalator.model.check_report import Condition
from escalator.model.cloud import Node
from escalator.model.node_software import sort_components
from escalator.model.verdict import Code
from escalator.upgrade_manager.conditions.question import Family, Question, count, unmet
from escalator.upgrade_manager.state.drift import JUDGED_ELSEWHERE, judge_drift


def check_drift(question: Question, domain: str) -> Iterator[Condition]:
    """Name each component of which the nodes of a domain have different versions, and the odd nodes."""
    software = {node.host: node.versions for node in _nodes(question, domain)}
    for found in judge_drift(domain, software, question.bundle):
        yield unmet(found.code, found.subject, found.message, found.remedy or "", found.severity)


def _nodes(question: Question, domain: str) -> tuple[Node, ...]:
    return tuple(question.nodes[host] for host in question.hosts_of[domain])


def _says(question: Question, domain: str) -> str:
    """Say what all nodes run that told it: each component once, as none differs."""
    told = {name: v for node in _nodes(question, domain) for name, v in node.versions.items()}
    alike = [f"{name} {told[name]}" for name in sort_components(told) if name not in JUDGED_ELSEWHERE]
    tell = [n for n in _nodes(question, domain) if not n.versions.keys() <= JUDGED_ELSEWHERE]
    return f"{count(len(tell), 'node')} told the same: {', '.join(alike)}" if alike else ""


FAMILY = Family(code=Code.VERSIONS_ALIKE, check=check_drift, says=_says)
