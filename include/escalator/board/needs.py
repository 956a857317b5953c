"""What needs a person: nodes that are held or failed, and questions that somebody has to answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from escalator.board.board import Group, Need, NodeLine
from escalator.board.record import BoardRecord
from escalator.model.campaign import CampaignPlan, LedgerView
from escalator.model.order import Verb
from escalator.model.step import Outcome, Step
from escalator.model.verdict import Code
from escalator.orders.rules import find_stop
from escalator.upgrade_manager.schedule.approvals import find_unapproved, needs_answer
from escalator.upgrade_manager.schedule.one_way import find_asked, find_crossing


def list_needs(record: BoardRecord, nodes: Sequence[NodeLine]) -> tuple[Need, ...]:
    """List what needs a person: questions first, they keep the others waiting; then failed, then held."""
    facts = record.facts
    questions = () if facts.concluded else list_questions(facts.plan, facts.view)
    failed = (_describe(node) for node in nodes if node.group is Group.FAILED)
    held = (_describe(node) for node in nodes if node.group is Group.HELD)
    return (*questions, *failed, *held)


def list_questions(plan: CampaignPlan, view: LedgerView) -> tuple[Need, ...]:
    """List what a person is asked in a run that goes on; who has stopped it has answered all of it."""
    if find_stop(view.orders) is not None:
        return ()
    return (*_list_unapproved(plan, view), *_list_crossings(plan, view))


def _list_unapproved(plan: CampaignPlan, view: LedgerView) -> Iterable[Need]:
    unapproved = set(find_unapproved(plan, view))
    for node in view.nodes if unapproved else ():
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


def _list_crossings(plan: CampaignPlan, view: LedgerView) -> Iterable[Need]:
    """List the nodes before which a person is asked, as they cannot go back; nobody has answered yet."""
    for host in find_asked(view) if view.crossing is None else ():
        reason = find_crossing(plan, view, host)
        yield Need(
            host=host,
            code=Code.APPROVAL,
            since=view.of(host).since,
            message=f"{host} is about to go out, and once its software is changed there is no return"
            f"{f': {reason}' if reason else ''}; may it?",
            remedy="approve it, or stop the campaign: then no further node goes out",
            verbs=(Verb.APPROVE,),
            task=f"{host}.{Step.ADMIT}",
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
