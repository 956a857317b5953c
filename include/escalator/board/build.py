"""Makes the board of what the ledger has: pure, the time is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from escalator.board.board import Board, CampaignLine, Group, Head, Need, NextNode, NodeLine, Stand, group_of
from escalator.board.forecast import find_expected_end
from escalator.board.lines import list_nodes
from escalator.board.needs import list_needs, list_questions
from escalator.board.record import BoardRecord
from escalator.board.verbs import list_campaign_verbs
from escalator.board.vnfs import list_groups
from escalator.board.waits import list_limits
from escalator.ledger.records import CampaignSummary
from escalator.model.campaign import LedgerView
from escalator.model.step import Step
from escalator.orders.rules import find_pause, find_stop

NEXT = 3
"""How many of the nodes that go next are named with the reason."""
WHOLE_UPGRADE = timedelta(hours=2)
"""What Escalator's requirements give to an upgrade, from the first impact on."""


def build_board(record: BoardRecord, now: datetime) -> Board:
    """Make the board of a run at a moment.

    :raises InvalidRequestError: this release does not know the procedure of its plan.
    """
    nodes = list_nodes(record, now)
    needs = list_needs(record, nodes)
    out = {node.host for node in nodes if node.group is Group.OUT}
    return Board(
        made_at=now,
        campaign=_describe(record, nodes, needs, now),
        needs=needs,
        next_nodes=() if record.facts.concluded else _list_next(record, nodes),
        nodes=nodes,
        groups=list_groups(record, out),
        orders=record.facts.view.orders[::-1],
    )


def build_line(summary: CampaignSummary) -> CampaignLine:
    """Make the line of a campaign in the list of all."""
    nodes = Counter[Group]()
    for state, count in summary.nodes.items():
        nodes[group_of(state)] += count
    over = summary.concluded or not (nodes[Group.WAITING] or nodes[Group.OUT])
    person, view = bool(nodes[Group.HELD] or nodes[Group.FAILED]), summary.view
    if view is not None and summary.plan is not None:
        person = person or bool(list_questions(summary.plan, view))
    return CampaignLine(
        dag_id=summary.dag_id,
        run_id=summary.run_id,
        opened_at=summary.opened_at,
        bundle=summary.bundle,
        target_version=summary.target_version,
        stand=_judge(person=person, over=over, stopped=_is_stopped(view), paused=_is_paused(view)),
        nodes=nodes,
    )


def _describe(record: BoardRecord, nodes: Sequence[NodeLine], needs: Sequence[Need], now: datetime) -> Head:
    facts, plan = record.facts, record.facts.plan
    counts: Mapping[Group, int] = Counter(node.group for node in nodes)
    stopped, paused = _is_stopped(facts.view), _is_paused(facts.view)
    first = _find_first_impact(nodes)
    return Head(
        dag_id=plan.campaign,
        run_id=plan.run_id,
        cloud=plan.request.cloud,
        domain=plan.request.domain,
        procedure=plan.procedure,
        bundle=plan.request.bundle,
        from_versions=tuple(sorted(set(facts.versions_before.values()) - {plan.target_version})),
        target_version=plan.target_version,
        stand=_judge(person=bool(needs), over=facts.concluded, stopped=stopped, paused=paused),
        dry_run=plan.request.dry_run,
        opened_at=facts.opened_at,
        window_end=plan.window_end,
        parallel=plan.request.max_parallel,
        failures=counts.get(Group.FAILED, 0),
        failures_allowed=plan.failures_allowed,
        servers_moved=facts.servers_moved,
        nodes=counts,
        total=len(nodes),
        limits=() if facts.concluded else list_limits(nodes),
        forecast=None if facts.concluded or stopped or paused else find_expected_end(record, nodes, now),
        two_hours_at=None if first is None else first + WHOLE_UPGRADE,
        ended_at=_find_end(nodes) if facts.concluded else None,
        verbs=list_campaign_verbs(facts),
    )


def _is_stopped(view: LedgerView | None) -> bool:
    """Tell whether no further node of a run goes out; one without a view is over."""
    return view is not None and (find_stop(view.orders) is not None or any(n.stopped for n in view.nodes))


def _is_paused(view: LedgerView | None) -> bool:
    return view is not None and find_pause(view.orders) is not None


def _judge(*, person: bool, over: bool, stopped: bool, paused: bool) -> Stand:
    if person:
        return Stand.NEEDS_A_PERSON
    if over:
        return Stand.OVER
    if stopped:
        return Stand.STOPPED
    return Stand.PAUSED if paused else Stand.RUNNING


def _find_first_impact(nodes: Sequence[NodeLine]) -> datetime | None:
    """Return when the first node was taken out."""
    begun = (c.begun_at for node in nodes for c in node.steps if c.step is Step.PRECHECK)
    return min((at for at in begun if at is not None), default=None)


def _find_end(nodes: Sequence[NodeLine]) -> datetime | None:
    given_back = (node.since for node in nodes if node.state == "released")
    return max((at for at in given_back if at is not None), default=None)


def _list_next(record: BoardRecord, nodes: Sequence[NodeLine]) -> tuple[NextNode, ...]:
    """List the nodes that go next in the order of the plan, with what the plan says of their departure."""
    waiting = [node for node in nodes if node.group is Group.WAITING and node.place is not None]
    departures = record.background.departures
    return tuple(
        NextNode(
            host=node.host,
            reason=departures[node.host].reason if node.host in departures else "",
            wait=node.wait,
            why=node.why,
        )
        for node in waiting[:NEXT]
    )
