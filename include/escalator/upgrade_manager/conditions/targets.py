"""The targets: whether they are there, whose they are, and whether SSH reaches them."""

from __future__ import annotations

from collections.abc import Iterator

from escalator.model.check_report import Condition
from escalator.model.cloud import ServiceStatus
from escalator.model.verdict import Code, Severity, Subject
from escalator.upgrade_manager.conditions.question import (
    Family,
    Question,
    count,
    met,
    name_domain,
    unmet,
)
from escalator.upgrade_manager.state.eligibility import Bar, find_bar, is_up

_HELD_BY_OTHERS = {
    Code.DISABLED_BY_OTHERS: Severity.INFO,
    Code.DISABLED_BY_NOVA: Severity.WARNING,
    Code.LEASED_BY_OTHERS: Severity.WARNING,
    Code.NODE_BARE_METAL: Severity.INFO,
    Code.CELLS_UNKNOWN: Severity.WARNING,
}
"""Why somebody else has a node, and how much that matters: one that a person disabled is skipped."""


def check_presence(question: Question, _domain: str) -> Iterator[Condition]:
    """Find targets that the cloud does not have, and a campaign that has nothing to upgrade."""
    for host in question.plan.hosts:
        bar = find_bar(host, question.nodes.get(host))
        if bar is not None and bar.code is Code.NODE_UNKNOWN:
            yield _unmet(bar, Severity.BLOCKER)
    there = [question.nodes[host] for host in question.plan.hosts if host in question.nodes]
    subject = Subject.of_cloud(question.snapshot.cloud)
    if all(n.upgraded and n.status is ServiceStatus.ENABLED for n in there):
        yield met(Code.ALREADY_UPGRADED, subject, "nothing is to be done: every target is upgraded already")
    elif not question.pending and not any(n.lease is not None or not is_up(n) for n in there):
        yield unmet(
            Code.REQUEST_NO_HOST,
            subject,
            f"none of the {count(len(question.plan.hosts), 'target')} can be upgraded",
            "enable the nodes that are to be upgraded, or name others",
        )


def check_holders(question: Question, domain: str) -> Iterator[Condition]:
    """Find targets that somebody else has taken out of service."""
    for host in sorted(question.targets_in(domain)):
        node = question.nodes[host]
        bar = find_bar(host, node, ours=question.plan.may_mend(node))
        if bar is not None and bar.code in _HELD_BY_OTHERS:
            yield _unmet(bar, _HELD_BY_OTHERS[bar.code])


def _unmet(bar: Bar, severity: Severity) -> Condition:
    return unmet(bar.code, Subject.of_node(bar.host), bar.message, bar.remedy, severity)


def check_reach(question: Question, domain: str) -> Iterator[Condition]:
    """Find targets where SSH, or the privilege there, is missing; say so when nobody tried."""
    targets = [
        host
        for host in sorted(question.targets_in(domain))
        if question.nodes[host].status is ServiceStatus.ENABLED or question.nodes[host].lease is not None
    ]
    if question.reachable is None:
        if targets:
            yield unmet(
                Code.NOT_CHECKED,
                name_domain(domain),
                "SSH and the privileges on the nodes were not looked at",
                "they are at the start of a campaign, or with the DAG check__<cloud>",
                Severity.INFO,
            )
        return
    for host in targets:
        if (problem := question.reachable.get(host)) is not None:
            yield unmet(
                Code.NODE_UNREACHABLE,
                Subject.of_node(host),
                f"SSH does not get there: {problem}",
                "mend the connection, the host key or the account, or leave the node out",
            )
        for verdict in question.lacking.get(host, ()):
            yield unmet(
                verdict.code, verdict.subject, verdict.message, verdict.remedy or "leave the node out"
            )


def _says_targets(question: Question, domain: str) -> str:
    targets = question.targets_in(domain)
    return f"{len(question.pending_in(domain))} of {count(len(targets), 'target')} are to be emptied"


def _says_reach(question: Question, domain: str) -> str:
    tried = [host for host in question.targets_in(domain) if host in (question.reachable or {})]
    return f"SSH reaches {count(len(tried), 'node')}" if tried else ""


PRESENCE = Family(code=Code.TARGETS_KNOWN, check=check_presence)
HOLDERS = Family(code=Code.TARGETS_KNOWN, check=check_holders, says=_says_targets)
REACH = Family(code=Code.NODES_REACHABLE, check=check_reach, says=_says_reach)
