"""What needs a person: nodes that are held or failed, and questions that somebody has to answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from escalator.board.board import Group, Need, NodeLine
from escalator.board.record import BoardRecord
from escalator.model.order import Verb
from escalator.model.step import Outcome, Step
from escalator.model.verdict import Code
from escalator.upgrade_manager.schedule.approvals import find_unapproved, needs_answer


def list_needs(record: BoardRecord, nodes: Sequence[NodeLine]) -> tuple[Need, ...]:
    """List what needs a person: questions first, they keep the others waiting; then failed, then held."""
    questions = _list_questions(record, nodes)
    failed = (_describe(node) for node in nodes if node.group is Group.FAILED)
    held = (_describe(node) for node in nodes if node.group is Group.HELD)
    return (*questions, *failed, *held)


def _list_questions(record: BoardRecord, nodes: Sequence[NodeLine]) -> Iterable[Need]:
    plan, view = record.facts.plan, record.facts.view
    unapproved = set() if record.facts.concluded else set(find_unapproved(plan, view))
    for node in nodes:
        if node.host in unapproved and needs_answer(plan, view, node.host):
            yield Need(
                host=node.host,
                code=Code.APPROVAL,
                since=node.since,
                message=f"{node.host} was upgraded, verified and given back; may the next nodes go?",
                remedy="look at the node and its servers, then say so",
                verbs=(Verb.APPROVE,),
                task=f"{node.host}.{Step.RELEASE}",
            )


def _describe(node: NodeLine) -> Need:
    gone_wrong = (c.step for c in node.steps if c.result in {Outcome.FAILED, Outcome.HELD})
    step = next(iter(gone_wrong), Step.ADMIT)
    return Need(
        host=node.host,
        code=node.code,
        since=node.since,
        message=node.why,
        remedy=node.remedy,
        task=f"{node.host}.{step}",
    )
