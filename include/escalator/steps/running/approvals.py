"""Whether a person is asked after a node, what about, until when; and what came of it."""

from __future__ import annotations

from datetime import timedelta

from escalator.model.approval import Approval, ApprovalAnswer
from escalator.model.verdict import Code
from escalator.model.wording import name_some
from escalator.orders.rules import find_stop
from escalator.steps.running.context import CampaignContext
from escalator.upgrade_manager.schedule.approvals import list_left, needs_answer
from escalator.upgrade_manager.schedule.one_way import needs_word

WITHIN = timedelta(hours=24)
"""How long a person may take; after that no further node goes out."""


def find_question(campaign: CampaignContext, host: str) -> str:
    """Say what a person has to know before the campaign goes on after a node; empty: nobody is asked."""
    if campaign.plan.request.approval is Approval.NONE:
        return ""
    view = campaign.run.view()
    if not needs_answer(campaign.plan, view, host) or find_stop(view.orders) is not None:
        return ""
    left = list_left(campaign.plan, view)
    return (
        f"{host} was upgraded, verified and given back: {view.of(host).message}. "
        f"{len(left)} node(s) wait: {name_some(left)}. Without an answer no further node goes out"
    )


def find_crossing_question(campaign: CampaignContext, host: str) -> str:
    """Say what a person has to know before a node goes out that cannot go back; empty: nobody is asked.

    Who has said that nodes may cross is not asked again in the run.
    """
    if not campaign.plan.request.ask_before_one_way:
        return ""
    reason = needs_word(campaign.plan, campaign.run.view(), host)
    if not reason:
        return ""
    campaign.run.remember(host, crossing_asked=campaign.clock())
    return (
        f"{host} is about to go out, and there is no return once its software is changed: {reason}. "
        "Without an answer neither it nor another node goes out that cannot go back"
    )


def record_crossing(campaign: CampaignContext, host: str, *, go_on: bool, by: str) -> str:
    """Keep what was answered before a node that cannot go back; return it in words."""
    campaign.run.remember(host, crossing=ApprovalAnswer(go_on=go_on, by=by, at=campaign.clock()))
    code = "" if go_on else f" [{Code.APPROVAL_REFUSED}]"
    said = "nodes go out that cannot go back" if go_on else "no node goes out that cannot go back"
    return f"before {host}: {said}, by {by or 'nobody in time'}{code}"


def find_patience(campaign: CampaignContext) -> timedelta:
    """Return how long an answer is waited for: a day, or to the end of the maintenance window."""
    end = campaign.plan.window_end
    if end is None:
        return WITHIN
    return max(timedelta(minutes=1), min(WITHIN, end - campaign.clock()))


def record_answer(campaign: CampaignContext, host: str, *, go_on: bool, by: str) -> str:
    """Keep what was answered after a node; return it in words."""
    answer = ApprovalAnswer(go_on=go_on, by=by, at=campaign.clock())
    campaign.run.remember(host, approval=answer)
    code = "" if go_on else f" [{Code.APPROVAL_REFUSED}]"
    said = "the campaign goes on" if go_on else "no further node goes out"
    return f"after {host} {said}, by {by or 'nobody in time'}{code}"
