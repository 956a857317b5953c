"""The nodes of a campaign, each with its steps, its servers, and why it stands as it does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from escalator.board.board import Group, NodeLine, ServerMove, StepCell, group_of
from escalator.board.record import BoardRecord
from escalator.board.verbs import list_node_verbs
from escalator.board.waits import name_wait
from escalator.ledger.board_book import StepTimes
from escalator.model.campaign import CampaignPlan, NodeProgress, NodeState
from escalator.model.moves import MoveRecord
from escalator.model.procedure import find_procedure
from escalator.model.step import Step

ARROW = " -> "
"""What stands between a message and its remedy."""


def list_nodes(record: BoardRecord, now: datetime) -> tuple[NodeLine, ...]:
    """List the nodes of a run in the order of its plan.

    :raises InvalidRequestError: this release does not know the procedure of the plan.
    """
    plan = record.facts.plan
    places = {host: number for number, host in enumerate(plan.hosts, start=1)}
    attempts: dict[str, list[StepTimes]] = {}
    for attempt in record.facts.steps:
        attempts.setdefault(attempt.host, []).append(attempt)
    steps = find_procedure(plan.procedure).steps
    return tuple(
        _describe_node(
            record,
            node,
            places.get(node.host),
            tuple(_list_cells(steps, attempts.get(node.host, ()), plan, now)),
        )
        for node in record.facts.view.nodes
        if node.selected
    )


def _describe_node(
    record: BoardRecord, node: NodeProgress, place: int | None, cells: tuple[StepCell, ...]
) -> NodeLine:
    message = node.message.removeprefix(f"node {node.host}: ").removesuffix(f" [{node.code}]")
    why, _, remedy = message.partition(ARROW)
    group = group_of(node.state)
    return NodeLine(
        host=node.host,
        place=place,
        state=node.state,
        group=group,
        since=node.since,
        code=node.code,
        why=why,
        steps=cells,
        remedy=remedy or _find_remedy(node),
        wait=name_wait(node.code) if group is Group.WAITING else None,
        moves=tuple(_list_moves(record, node.host)) if group is Group.OUT else (),
        verbs=() if record.facts.concluded else list_node_verbs(node, record.facts.view.orders),
    )


def _find_remedy(node: NodeProgress) -> str:
    """Say what brings a node on whose finding says nothing of it, as docs/operations/nodes-out.md does."""
    if node.state is NodeState.FAILED:
        return f"mend the node, then clear {node.host}.upgrade with downstream"
    if node.state is NodeState.HELD:
        return f"mend the cause, then clear {node.host}.admit with downstream"
    return ""


def _list_cells(
    steps: Iterable[Step], attempts: Sequence[StepTimes], plan: CampaignPlan, now: datetime
) -> Iterable[StepCell]:
    of_step: dict[Step, list[StepTimes]] = {}
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


def _list_moves(record: BoardRecord, host: str) -> Iterable[ServerMove]:
    """List the servers that are to leave a node, then those that left it without being planned to."""
    ended: dict[str, list[MoveRecord]] = {}
    for move in record.facts.moves.get(host, ()):
        ended.setdefault(move.server_id, []).append(move)
    drain, flying = record.facts.drains.get(host), record.facts.flying.get(host, {})
    for planned in drain.moves if drain is not None else ():
        first = next(iter(planned.destinations), None)
        tries = ended.pop(planned.server_id, [])
        line = _describe_move(planned.server_name, planned.method, first, tries)
        flies = planned.server_id in flying and not line.done
        yield replace(line, flies=True, percent=flying[planned.server_id]) if flies else line
    for tries in ended.values():
        yield _describe_move(tries[-1].server_name, tries[-1].method, None, tries)


def _describe_move(name: str, method: str, first: str | None, tries: Sequence[MoveRecord]) -> ServerMove:
    if not tries:
        return ServerMove(name=name, method=str(method), to=first)
    last = tries[-1]
    return ServerMove(
        name=name,
        method=str(last.method),
        to=last.to_host or first,
        done=last.succeeded,
        failed=not last.succeeded,
        tries=len(tries),
        seconds=round((last.ended_at - last.started_at).total_seconds(), 1),
        message=last.message,
    )
