"""Points of no return that a campaign has passed, in its report: which nodes, since when, and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from escalator.model.verdict import Severity
from escalator.model.wording import name_some
from escalator.reports.facts import CampaignFacts
from escalator.reports.nodes import format_time
from escalator.reports.rows import Finding, Row, make_row_of_campaign


class Crossed(NamedTuple):
    """A node that cannot go back, since its software was about to be changed."""

    host: str
    since: datetime
    reason: str


def find_crossed(facts: CampaignFacts) -> tuple[Crossed, ...]:
    """Find the nodes that passed their points of no return, in the order in which they did."""
    turns = sorted(facts.changed_at.items(), key=lambda turn: turn[1])
    found = (
        Crossed(host, since, facts.plan.no_return.find_reason(host, number))
        for number, (host, since) in enumerate(turns)
    )
    return tuple(crossed for crossed in found if crossed.reason)


def describe_crossed(facts: CampaignFacts) -> list[dict[str, Any]]:
    """Describe them for the report."""
    return [
        {"host": crossed.host, "since": format_time(crossed.since), "reason": crossed.reason}
        for crossed in find_crossed(facts)
    ]


def find_no_returns(facts: CampaignFacts) -> Iterator[Row]:
    """Say each reason once, with its nodes and since when the first of them cannot go back."""
    nodes_of: dict[str, list[Crossed]] = {}
    for crossed in find_crossed(facts):
        nodes_of.setdefault(crossed.reason, []).append(crossed)
    for reason, nodes in nodes_of.items():
        named = name_some([crossed.host for crossed in nodes])
        message = f"no return for {named} since {format_time(nodes[0].since)}: {reason}"
        yield make_row_of_campaign(facts, Severity.INFO, Finding.NO_RETURN_SINCE, message)
