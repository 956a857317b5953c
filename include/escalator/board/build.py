"""Makes the board of what the ledger has: pure, the time is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from escalator.board.board import Board, CampaignLine, Group, Head, NodeLine, Stand, StepCell, group_of
from escalator.board.record import BoardRecord
from escalator.ledger.records import CampaignSummary, StepRecord
from escalator.model.campaign import CampaignPlan, NodeProgress
from escalator.model.procedure import find_procedure
from escalator.model.step import Step


def build_board(record: BoardRecord, now: datetime) -> Board:
    """Make the board of a run at a moment.

    :raises InvalidRequestError: this release does not know the procedure of its plan.
    """
    nodes = tuple(_list_nodes(record, now))
    return Board(made_at=now, campaign=_describe(record, nodes), nodes=nodes)


def build_line(summary: CampaignSummary) -> CampaignLine:
    """Make the line of a campaign in the list of all."""
    nodes = Counter[Group]()
    for state, count in summary.nodes.items():
        nodes[group_of(state)] += count
    over = not nodes[Group.WAITING] and not nodes[Group.OUT]
    return CampaignLine(
        dag_id=summary.dag_id,
        run_id=summary.run_id,
        opened_at=summary.opened_at,
        bundle=summary.bundle,
        target_version=summary.target_version,
        stand=_judge(nodes, over=over, stopped=False),
        nodes=nodes,
    )


def _describe(record: BoardRecord, nodes: Sequence[NodeLine]) -> Head:
    plan = record.plan
    counts = Counter(node.group for node in nodes)
    stopped = any(node.stopped for node in record.view.nodes)
    return Head(
        dag_id=plan.campaign,
        run_id=plan.run_id,
        cloud=plan.request.cloud,
        domain=plan.request.domain,
        procedure=plan.procedure,
        bundle=plan.request.bundle,
        from_versions=tuple(sorted(set(record.versions_before.values()))),
        target_version=plan.target_version,
        stand=_judge(counts, over=record.concluded, stopped=stopped),
        dry_run=plan.request.dry_run,
        opened_at=record.opened_at,
        window_end=plan.window_end,
        parallel=plan.request.max_parallel,
        failures_allowed=plan.failures_allowed,
        nodes=counts,
    )


def _judge(nodes: Mapping[Group, int], *, over: bool, stopped: bool) -> Stand:
    if nodes.get(Group.HELD, 0) or nodes.get(Group.FAILED, 0):
        return Stand.NEEDS_A_PERSON
    if over:
        return Stand.OVER
    return Stand.STOPPED if stopped else Stand.RUNNING


def _list_nodes(record: BoardRecord, now: datetime) -> Iterable[NodeLine]:
    places = {host: number for number, host in enumerate(record.plan.hosts, start=1)}
    attempts: dict[str, list[StepRecord]] = {}
    for step in record.steps:
        attempts.setdefault(step.host, []).append(step)
    steps = find_procedure(record.plan.procedure).steps
    for node in record.view.nodes:
        cells = _list_cells(steps, attempts.get(node.host, ()), record.plan, now)
        yield _describe_node(node, places.get(node.host), tuple(cells))


def _describe_node(node: NodeProgress, place: int | None, cells: tuple[StepCell, ...]) -> NodeLine:
    return NodeLine(
        host=node.host,
        place=place,
        state=node.state,
        group=group_of(node.state),
        since=node.since,
        code=node.code,
        why=node.message,
        steps=cells,
    )


def _list_cells(
    steps: Iterable[Step], attempts: Sequence[StepRecord], plan: CampaignPlan, now: datetime
) -> Iterable[StepCell]:
    of_step: dict[Step, list[StepRecord]] = {}
    for attempt in attempts:
        of_step.setdefault(attempt.step, []).append(attempt)
    for step in steps:
        usual = plan.expected.steps.get(step)
        tries = of_step.get(step)
        if not tries:
            yield StepCell(step=step, usual_seconds=usual.p50 if usual else None)
            continue
        last = tries[-1]
        seconds = max(0.0, ((last.ended_at or now) - last.begun_at).total_seconds())
        yield StepCell(
            step=step,
            begun_at=last.begun_at,
            seconds=round(seconds, 1),
            usual_seconds=usual.p50 if usual else None,
            slow=usual is not None and seconds > usual.p90,
            tries=len(tries),
            result=last.result,
            code=last.code,
            message=last.message,
        )
