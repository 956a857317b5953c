"""How long an upgrade is expected to take, and what would shorten one that is expected to take too long."""

from __future__ import annotations

import math
from collections.abc import Iterator

from escalator.model.check_report import Condition
from escalator.model.durations import Quantiles
from escalator.model.verdict import Code, Severity, Subject
from escalator.upgrade_manager.conditions.question import Family, Question, count, met, unmet
from escalator.upgrade_manager.drain.durations import estimate_node_seconds

LONGEST_SECONDS = 2 * 3600.0
"""What the Escalator documents allow from the first impact to commit or rollback."""


def estimate_seconds(question: Question) -> Quantiles:
    """Return how long all targets take (s): the sum of their nodes, K of them at a time, and the soaks."""
    nodes = [_node_seconds(question, host) for host in question.pending]
    if not nodes:
        return Quantiles(p50=0.0, p90=0.0)
    at_once = min(question.plan.request.max_parallel, len(nodes))
    soak = question.plan.request.soak_seconds * (math.ceil(len(nodes) / at_once) - 1)
    p50 = max(sum(node.p50 for node in nodes) / at_once, *(node.p50 for node in nodes)) + soak
    p90 = max(sum(node.p90 for node in nodes) / at_once, *(node.p90 for node in nodes)) + soak
    return Quantiles(p50=round(p50, 1), p90=round(p90, 1))


def _node_seconds(question: Question, host: str) -> Quantiles:
    return estimate_node_seconds(question.book.movable((host,)), question.plan.expected)


def check_timing(question: Question, _domain: str) -> Iterator[Condition]:
    """Warn of an upgrade that is expected to take more than two hours."""
    if not question.pending:
        return
    yield from _window(question)
    expected, asked = estimate_seconds(question), question.plan.request.max_parallel
    subject = Subject.of_cloud(question.snapshot.cloud)
    samples = question.plan.expected.samples
    basis = f"learnt from {samples} nodes" if samples else "assumed"
    what = (
        f"{count(len(question.pending), 'node')}, {asked} at a time: {format_minutes(expected.p50)}, or "
        f"{format_minutes(expected.p90)} when it goes slowly ({basis})"
    )
    if expected.p90 <= LONGEST_SECONDS:
        yield met(Code.DURATION, subject, what)
        return
    yield unmet(
        Code.DURATION,
        subject,
        f"{what}: more than {format_minutes(LONGEST_SECONDS)}",
        "shorten it: " + ", or ".join(_ways(len(question.pending), asked, expected.p90)),
        Severity.WARNING,
    )


def _window(question: Question) -> Iterator[Condition]:
    """Refuse a window that is too short for any of the nodes: no run of it would ever upgrade one."""
    end = question.plan.window_end
    if end is None:
        return
    length = (end - question.snapshot.taken_at).total_seconds()
    quickest = min(_node_seconds(question, host).p90 for host in question.pending)
    if 0 < length < quickest:
        yield unmet(
            Code.WINDOW_CLOSED,
            Subject.of_cloud(question.snapshot.cloud),
            f"the window ends in {format_minutes(length)}, and even the quickest node may take "
            f"{format_minutes(quickest)}: none would go out",
            "make the window longer, or start earlier in it",
        )


def _ways(nodes: int, at_once: int, seconds: float) -> Iterator[str]:
    """Give what would bring an upgrade under the limit."""
    needed = math.ceil(at_once * seconds / LONGEST_SECONDS)
    if needed < nodes:
        yield f"max_parallel={needed}, where the capacity carries it (spare nodes help)"
    windows = math.ceil(seconds / LONGEST_SECONDS)
    if windows <= nodes:
        yield f"{windows} windows of {count(math.ceil(nodes / windows), 'node')}"
    else:
        yield "faster steps: one node alone takes longer than that"


def format_minutes(seconds: float) -> str:
    """Write a duration for people: 45 s, 12 min, 2 h 05 min."""
    if seconds < 2 * 60:
        return f"{seconds:.0f} s"
    whole = math.ceil(seconds / 60)
    return f"{whole} min" if whole < 2 * 60 else f"{whole // 60} h {whole % 60:02} min"


FAMILY = Family(code=Code.DURATION, check=check_timing)
