"""Leaving out: a blocker that belongs to one node keeps that node out, and the others go.

Only what maps to no node of the plan concerns the whole campaign: the bundle, the versions of the cloud, the
window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from escalator.model.campaign import LeftOut
from escalator.model.check_report import CheckReport, Condition
from escalator.model.cloud import CloudSnapshot
from escalator.model.verdict import Severity, SubjectType
from escalator.model.wording import name_some
from escalator.upgrade_manager.conditions.question import Question, ask
from escalator.upgrade_manager.state.eligibility import find_bar

Look = Callable[[Question], CheckReport]
_SAID = 3
"""Reasons of one node that are said one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remainder:
    """What is left of a plan without its blocked nodes.

    :ivar question: about the nodes that go.
    :ivar left_out: the others, in the order in which they were asked for.
    :ivar report: of the nodes that go; what blocks the others is in it as a warning.
    """

    question: Question
    report: CheckReport
    left_out: tuple[LeftOut, ...] = ()


def leave_blocked_out(question: Question, look: Look) -> Remainder:
    """Take the blocked nodes off a plan, until nothing blocks the rest of it.

    Where nothing would be left to go, or something concerns the whole campaign, nothing is left out: the
    report says what blocks.

    :param look: finds the conditions of a question.
    """
    first = Remainder(question=question, report=look(question))
    rest, report = question, first.report
    kept_out: dict[str, list[Condition]] = {}
    while not report.met:
        blocking = [condition for condition in report.conditions if condition.blocks]
        found = [(condition, find_blocked_hosts(condition, rest)) for condition in blocking]
        if not all(hosts for _, hosts in found):
            return first
        for condition, hosts in found:
            for host in hosts:
                kept_out.setdefault(host, []).append(condition)
        hosts_left = tuple(host for host in rest.plan.hosts if host not in kept_out)
        rest = _ask_without(rest, hosts_left)
        if not _may_any_go(rest):
            return first
        report = look(rest)
    return Remainder(
        question=rest,
        report=replace(report, conditions=(*report.conditions, *_as_warnings(kept_out))),
        left_out=tuple(_describe(host, kept_out[host]) for host in question.plan.hosts if host in kept_out),
    )


def find_blocked_hosts(condition: Condition, question: Question) -> tuple[str, ...]:
    """Return the nodes of the plan that a condition belongs to; none: it concerns the whole campaign."""
    subject = condition.subject
    if condition.hosts:
        found = set(condition.hosts)
    elif subject.type is SubjectType.NODE:
        found = {subject.id}
    elif subject.type is SubjectType.SERVER:
        found = {s.host for s in question.snapshot.servers if s.id == subject.id and s.host is not None}
    elif subject.type is SubjectType.MIGRATION:
        touched = (m for m in question.snapshot.migrations if m.uuid == subject.id)
        found = {host for m in touched for host in (m.source_host, m.dest_host) if host is not None}
    else:
        found = set()
    return tuple(host for host in question.plan.hosts if host in found)


def leave_nodes_out(snapshot: CloudSnapshot, left_out: Sequence[LeftOut]) -> CloudSnapshot:
    """Return the cloud with some nodes being no targets any more; they take servers as before."""
    hosts = {node.host for node in left_out}
    if not hosts:
        return snapshot
    nodes = (replace(n, target=False) if n.host in hosts else n for n in snapshot.nodes)
    return replace(snapshot, nodes=tuple(nodes))


def _ask_without(question: Question, hosts: tuple[str, ...]) -> Question:
    return ask(
        replace(question.plan, hosts=hosts),
        question.snapshot,
        bundle=question.bundle,
        reachable=question.reachable,
        lacking=question.lacking,
        brings=question.brings,
        scalable=question.scalable,
        interrupted=question.interrupted,
    )


def _may_any_go(question: Question) -> bool:
    """Tell whether a node of the plan can be upgraded, now or when what bars it has passed."""
    if question.pending:
        return True
    bars = (find_bar(host, question.nodes.get(host)) for host in question.plan.hosts)
    return any(bar is not None and bar.passing for bar in bars)


def _as_warnings(kept_out: Mapping[str, Sequence[Condition]]) -> tuple[Condition, ...]:
    """Say what blocked the nodes that are left out, each blocker once."""
    hosts_of: dict[Condition, list[str]] = {}
    for host, conditions in kept_out.items():
        for condition in conditions:
            hosts_of.setdefault(condition, []).append(host)
    return tuple(
        replace(
            condition,
            severity=Severity.WARNING,
            message=f"{name_some(sorted(hosts))} left out of the campaign: {condition.message}",
        )
        for condition, hosts in hosts_of.items()
    )


def _describe(host: str, conditions: Sequence[Condition]) -> LeftOut:
    """Say why a node is left out: the first few reasons, each with its remedy."""
    words = [_say(host, condition) for condition in conditions[:_SAID]]
    more = [f"{len(conditions) - _SAID} more in the check"] if len(conditions) > _SAID else []
    return LeftOut(
        host=host, code=conditions[0].code, message=f"left out of the campaign: {'; '.join([*words, *more])}"
    )


def _say(host: str, condition: Condition) -> str:
    about = "" if condition.subject.id == host else f"{condition.subject}: "
    remedy = f" -> {condition.remedy}" if condition.remedy else ""
    return f"{about}{condition.message}{remedy}"
