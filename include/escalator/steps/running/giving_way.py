"""Giving way: a node whose VNF managers refuse gives way to the others, and is asked for again at the end.

The node is given back meanwhile, by the steps of its life: release, then admit and precheck when it comes
again. A second run of any moment finds how far it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from escalator.ledger.run import CampaignRun
from escalator.model.campaign import Step
from escalator.model.decisions import Admission
from escalator.model.node_facts import PersonWord
from escalator.model.notice import NoticeState
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.running.context import CampaignContext
from escalator.steps.running.ordered import is_called_back
from escalator.steps.running.results import StepResult
from escalator.steps.running.run_step import NOT_ASKED, run_admit, run_step

REST = timedelta(seconds=60)
"""How long a manager that refused is left in peace."""
QUIET = timedelta(hours=1)
"""For how long a node that gave way waits for others while none of them goes or ends."""
REFUSALS_BORNE = 2
"""After so many a person is asked."""

_ADMISSIONS: Mapping[Admission, Outcome] = {
    Admission.WAIT: Outcome.WAITING,
    Admission.SKIP: Outcome.SKIPPED,
    Admission.STOP: Outcome.SKIPPED,
    Admission.HOLD: Outcome.HELD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a step ended; ``question`` is what a person is to decide before it goes on, empty: nothing."""

    result: StepResult
    question: str = ""


def run_or_give_way(
    campaign: CampaignContext,
    host: str,
    step: Step,
    *,
    try_number: int,
    last_try: bool,
    states: Mapping[Step, str] = NOT_ASKED,
) -> Ended:
    """Run a step as :func:`run_step`; before switchover, take the lease again that was given back."""
    if step is Step.SWITCHOVER and campaign.run.facts(host).refused_at is not None:
        late = _come_again(campaign, host, try_number=try_number)
        if late is not None:
            return late
    result = run_step(campaign, host, step, try_number=try_number, last_try=last_try, states=states)
    if result.outcome is Outcome.WAITING and result.code is Code.VNF_REFUSED:
        return _give_way(campaign, host, try_number=try_number)
    return Ended(result=result)


def is_due_again(run: CampaignRun, host: str, now: datetime) -> bool:
    """Tell whether a node that gave way may be asked for again: the others went first, and time has passed.

    It waits for those that are under way, and for those that wait for their turn as long as turns come: one
    that was told that no further node goes out, or whose task a person ended, never takes its own. Of several
    that gave way none waits for another one's turn.
    """
    refused_at = run.facts(host).refused_at
    if refused_at is not None and now - refused_at < REST:
        return False
    others = [node for node in run.nodes() if node.host != host]
    if any(node.state.under_way for node in others):
        return False
    waiting = [node.host for node in others if not node.state.ended and not node.stopped]
    if all(run.facts(other).refused_at is not None for other in waiting):
        return True
    ended = (node.since for node in others if node.state.ended)
    last = max((moment for moment in (refused_at, *ended) if moment is not None), default=now)
    return now - last >= QUIET


def _give_way(campaign: CampaignContext, host: str, *, try_number: int) -> Ended:
    """Give the node back; say what a person has to decide when it was refused often enough.

    Who has decided already is not asked again.
    """
    run_step(campaign, host, Step.RELEASE, try_number=try_number, last_try=False)
    progress = campaign.run.progress(host)
    waiting = StepResult(outcome=Outcome.WAITING, code=Code.VNF_REFUSED, message=progress.message)
    times = _count_refusals(campaign, host)
    if times < REFUSALS_BORNE or campaign.run.facts(host).person_word is not None:
        return Ended(result=waiting)
    return Ended(result=waiting, question=f"{host} was refused {times} times: {progress.message}")


def _come_again(campaign: CampaignContext, host: str, *, try_number: int) -> Ended | None:
    """Take the lease and look again; None when the node is where switchover begins."""
    if is_called_back(campaign.run, host):
        ordered = _take_again(campaign, host, try_number=try_number)
        return None if ordered is None else Ended(result=ordered)
    word = campaign.run.facts(host).person_word
    if word is PersonWord.LEAVE:
        message = f"{host} is left out: its VNF managers refused, and a person decided so"
        return Ended(result=StepResult(outcome=Outcome.HELD, code=Code.VNF_REFUSED, message=message))
    undecided = word is None and _count_refusals(campaign, host) >= REFUSALS_BORNE
    if undecided or not is_due_again(campaign.run, host, campaign.clock()):
        return _give_way(campaign, host, try_number=try_number)
    result = _take_again(campaign, host, try_number=try_number)
    return None if result is None else Ended(result=result)


def _take_again(campaign: CampaignContext, host: str, *, try_number: int) -> StepResult | None:
    """Go through admit and precheck; None when both are done."""
    decision = run_admit(campaign, host, try_number=try_number, anew=False)
    if decision.admission is not Admission.ADMIT:
        message = f"refused by its VNF managers before, and now: {decision.message}"
        outcome = _ADMISSIONS[decision.admission]
        return StepResult(outcome=outcome, code=decision.code, message=message)
    checked = run_step(campaign, host, Step.PRECHECK, try_number=try_number, last_try=False)
    if checked.outcome is not Outcome.OK:
        return checked
    campaign.run.remember(host, refused_at=None)
    return None


def _count_refusals(campaign: CampaignContext, host: str) -> int:
    """Count the askings about a node that somebody refused."""
    if campaign.desk is None:
        return 0
    records = campaign.desk.find(NoticeState.PLANNED_MAINTENANCE, host)
    return len({r.notice.round for r in records if r.reply is not None and not r.reply.ack})
