"""When a campaign is expected to end: its plan, at the speed that its own nodes have shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from escalator.board.board import Forecast, Group, NodeLine
from escalator.board.record import BoardRecord
from escalator.model.campaign import CampaignPlan
from escalator.model.step import Step

ENOUGH = 3
"""Nodes from which on a campaign tells its own speed and spread."""


def find_expected_end(record: BoardRecord, nodes: Sequence[NodeLine], now: datetime) -> Forecast | None:
    """Tell when the last node will be given back.

    The time that the plan gives to what is left is stretched as the nodes that are done were against it.
    While few are done, the spread is that which nine in ten steps keep within.

    :return: None when nothing is left, or nothing was expected.
    """
    expected = {node.host: _expect_seconds(record, node.host) for node in nodes if node.place is not None}
    whole = sum(expected.values())
    makespan = record.background.makespan_seconds or whole / max(1, record.facts.plan.request.max_parallel)
    left = sum(_left_of(node, expected[node.host], now) for node in nodes if node.host in expected)
    if not whole or not left:
        return None
    remaining = makespan * left / whole
    paces = sorted(_list_paces(nodes, expected))
    if len(paces) >= ENOUGH:
        low, middle, high = paces[len(paces) // 10], median(paces), paces[-1 - len(paces) // 10]
    else:
        middle = median([1.0, *paces])
        low, high = min([1.0, *paces]), max([_spread(record.facts.plan), *paces])
    return Forecast(
        expected=now + timedelta(seconds=remaining * middle),
        earliest=now + timedelta(seconds=remaining * low),
        latest=now + timedelta(seconds=remaining * high),
        nodes=len(paces) if len(paces) >= ENOUGH else 0,
    )


def _expect_seconds(record: BoardRecord, host: str) -> float:
    departure = record.background.departures.get(host)
    if departure is not None and departure.ends_at is not None:
        return departure.ends_at - departure.starts_at
    return sum(record.facts.plan.expected.of(step).p50 for step in Step)


def _left_of(node: NodeLine, expected: float, now: datetime) -> float:
    """Return what is left of a node's time; a node that is late still takes a tenth of it."""
    if node.group is Group.WAITING:
        return expected
    if node.group is not Group.OUT:
        return 0.0
    begun = _find_start(node)
    gone = (now - begun).total_seconds() if begun is not None else 0.0
    return max(expected / 10, expected - gone)


def _list_paces(nodes: Sequence[NodeLine], expected: dict[str, float]) -> list[float]:
    """List how many times what was expected the nodes took that are done."""
    paces = []
    for node in nodes:
        begun = _find_start(node)
        if node.state == "released" and begun is not None and node.since is not None:
            usual = expected.get(node.host)
            if usual:
                paces.append(max(0.05, (node.since - begun).total_seconds() / usual))
    return paces


def _find_start(node: NodeLine) -> datetime | None:
    """Return when a node was taken out: its admission ended, and what follows began."""
    return next((c.begun_at for c in node.steps if c.step is not Step.ADMIT and c.begun_at), None)


def _spread(plan: CampaignPlan) -> float:
    """Return how many times the usual a node takes whose steps are all as slow as one in ten."""
    steps = plan.expected.steps.values()
    usual = sum(step.p50 for step in steps)
    return max(1.0, sum(step.p90 for step in steps) / usual) if usual else 1.0
