"""Operators of a node's life: the deferred door, and the steps behind it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NoReturn

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
)
from airflow.triggers.base import BaseTrigger, StartTriggerArgs

from escalator.events.event import Action
from escalator.model.approval import CrossWord, GoOnWord
from escalator.model.campaign import Step
from escalator.model.decisions import Admission
from escalator.model.errors import EscalatorError, LoginRefusedError, SupersededError, TransientError
from escalator.model.node_facts import PersonWord
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.running.approvals import (
    find_crossing_question,
    find_patience,
    find_question,
    record_answer,
    record_crossing,
)
from escalator.steps.running.context import CampaignContext
from escalator.steps.running.giving_way import Ended, run_or_give_way
from escalator.steps.running.results import StepResult
from escalator.steps.running.run_step import record_hang, run_admit
from escalator_airflow.campaigns import open_campaign, run_of
from escalator_airflow.operators.questions import NOBODY, ask_person, read_said
from escalator_airflow.pools import ADMISSION_POOL
from escalator_airflow.task_states import read_step_states
from escalator_airflow.triggers.admission import AdmissionTrigger
from escalator_airflow.triggers.answers import AnswerTrigger

AGAIN_SECONDS = 5.0
"""Pause before a node that may not go yet asks again for its lease."""
REFUSED_SECONDS = 60.0
"""Pause before a node that refuses the log-in asks again: others have their turn meanwhile."""
PATIENTLY = frozenset({Code.NODE_UNREACHABLE, Code.WATCHER_SILENT})
"""Why a node asks for its lease after that pause only."""
PERSON_WITHIN = timedelta(hours=24)
"""How long a person may take to decide about a node; then it is left out."""
_GIVEN_BACK = frozenset({Outcome.OK, Outcome.SKIPPED})
"""How release ends where it gave the node back, or finds that an attempt that was cut off did."""
TRIGGER = f"{AdmissionTrigger.__module__}.{AdmissionTrigger.__qualname__}"


class AdmitOperator(BaseOperator):
    """Waits in the triggerer until the node may go, then takes its lease in the pool of one.

    :param host: nova-compute service host.
    """

    start_from_trigger = True

    def __init__(self, *, host: str, **kwargs: Any) -> None:
        super().__init__(pool=ADMISSION_POOL, **kwargs)
        self.host = host
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=TRIGGER,
            trigger_kwargs={"host": host},
            next_method="take",
            next_kwargs={},
            timeout=None,
        )

    def execute(self, context: Mapping[str, Any]) -> None:
        """Take the lease at once: only reached when the task did not start in the triggerer."""
        self.take(context, {})

    def take(self, context: Mapping[str, Any], event: object = None) -> None:
        """Ask again, take the lease, or go back to wait; skip or hold the node when waiting is vain."""
        campaign = open_campaign(*run_of(context))
        said = event.get("message") if isinstance(event, Mapping) else None
        if said is None or str(said).startswith(f"{Admission.ADMIT}:"):
            self._ask_before_crossing(context, campaign)
        try:
            decision = run_admit(campaign, self.host, try_number=context["ti"].try_number)
        except TransientError as exc:
            raise shorten(exc) from None
        self.log.info("%s: %s: %s", self.host, decision.admission, decision.message)
        match decision.admission:
            case Admission.ADMIT:
                return
            case Admission.WAIT:
                collided = random.uniform(1.0, 5.0)  # noqa: S311  two that collided must not meet again
                pause = REFUSED_SECONDS if decision.code in PATIENTLY else collided
                trigger = AdmissionTrigger(host=self.host, pause_seconds=pause)
                self.defer(trigger=trigger, method_name="take")
            case Admission.SKIP | Admission.STOP:
                raise AirflowSkipException(decision.message)
            case Admission.HOLD:
                raise AirflowFailException(decision.message)

    def _ask_before_crossing(self, context: Mapping[str, Any], campaign: CampaignContext) -> None:
        """Ask whether the node goes out though it cannot go back, where that is wanted: a required action."""
        question = find_crossing_question(campaign, self.host)
        if not question:
            return
        self.log.info("%s", question)
        campaign.teller.tell(Action.QUESTION, node=self.host, step=Step.ADMIT, message=question)
        ask_person(
            context,
            subject=f"{self.host} cannot go back once it is upgraded: does it go out?",
            question=question,
            default=CrossWord.STOP,
            method="hear_crossing",
            timeout=find_patience(campaign),
        )

    def hear_crossing(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        """Keep what a person said, then take the lease as ever; without a word in time it is a no."""
        word, by = read_said(event, CrossWord.STOP)
        campaign = open_campaign(*run_of(context))
        campaign.teller.tell(Action.ANSWER, node=self.host, result=word, actor=by or NOBODY)
        self.log.info("%s", record_crossing(campaign, self.host, go_on=word == CrossWord.GO_ON, by=by))
        self.take(context)


class NodeStepOperator(BaseOperator):
    """Runs one step of a node; a held or failed node fails the task, without another try.

    :param host: nova-compute service host.
    :param step: which step.
    """

    def __init__(self, *, host: str, step: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.host = host
        self.step = step

    def resume(self, context: Mapping[str, Any], event: object = None) -> str:
        """Run the step again: what it waited for has come, or its deadline."""
        del event
        return self.execute(context)

    def hear(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> str:
        """Take the word of the person who was asked; without one in time the node is left out."""
        word, by = read_said(event, PersonWord.LEAVE)
        self.log.info("%s: %s, said %s", self.host, word, event.get("responded_by_user") or NOBODY)
        campaign = open_campaign(*run_of(context))
        campaign.run.remember(self.host, person_word=PersonWord(word))
        campaign.teller.tell(Action.ANSWER, node=self.host, result=word, actor=by or NOBODY)
        return self.execute(context)

    def _ask_person(self, context: Mapping[str, Any], campaign: CampaignContext, question: str) -> NoReturn:
        """Ask a person what becomes of a node that VNF managers refuse to let go."""
        campaign.teller.tell(Action.QUESTION, node=self.host, step=Step(self.step), message=question)
        ask_person(
            context,
            subject=f"{self.host}: VNF managers refuse",
            question=question,
            default=PersonWord.LEAVE,
            method="hear",
            timeout=PERSON_WITHIN,
        )

    def hear_approval(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> str:
        """Keep what a person said after the node; without a word in time no further node goes out."""
        word, by = read_said(event, GoOnWord.STOP)
        campaign = open_campaign(*run_of(context), in_any_case=True)
        said = record_answer(campaign, self.host, go_on=word == GoOnWord.GO_ON, by=by)
        self.log.info("%s", said)
        return said

    def _ask_approval(self, context: Mapping[str, Any], campaign: CampaignContext) -> None:
        """Ask whether the campaign goes on, where that is wanted, as a required action of this task."""
        question = find_question(campaign, self.host)
        if not question:
            return
        self.log.info("%s", question)
        campaign.teller.tell(Action.QUESTION, node=self.host, step=Step(self.step), message=question)
        ask_person(
            context,
            subject=f"{self.host} is upgraded: does the campaign go on?",
            question=question,
            default=GoOnWord.STOP,
            method="hear_approval",
            timeout=find_patience(campaign),
        )

    def _wait_for(self, code: Code | None) -> BaseTrigger:
        """Wait for the answers of managers, or for the node's turn when it comes again after a refusal."""
        if code in {None, Code.VNF_REFUSED}:
            return AnswerTrigger(host=self.host)
        pause = REFUSED_SECONDS if code is Code.NODE_UNREACHABLE else AGAIN_SECONDS
        return AdmissionTrigger(host=self.host, pause_seconds=pause)

    def execute(self, context: Mapping[str, Any]) -> str:
        """Run the step and say how it ended; managers that answer at once are not waited for elsewhere."""
        campaign = open_campaign(*run_of(context), in_any_case=self.step == Step.RELEASE)
        turn = self._run(context, campaign)
        if self.step == Step.RELEASE and turn.result.outcome in _GIVEN_BACK:
            self._ask_approval(context, campaign)
        if _waits_for_answers(turn.result) and campaign.desk is not None:
            self.log.info("%s.%s: %s", self.host, self.step, turn.result.message)
            if campaign.desk.wait_at_once(self.host, campaign.clock, campaign.sleep):
                turn = self._run(context, campaign)
        return self._end(context, campaign, turn)

    def _run(self, context: Mapping[str, Any], campaign: CampaignContext) -> Ended:
        """Run the step once; what ends it from outside is recorded."""
        ti = context["ti"]
        try:
            return run_or_give_way(
                campaign,
                self.host,
                Step(self.step),
                try_number=ti.try_number,
                last_try=ti.try_number > ti.max_tries,
                states=read_step_states(context, self.task_id) if self.step == Step.RELEASE else {},
            )
        except SupersededError as exc:
            raise AirflowFailException(str(exc)) from exc
        except (TransientError, LoginRefusedError) as exc:
            raise shorten(exc) from None
        except AirflowTaskTimeout as exc:
            if self.step == Step.RELEASE:
                raise  # the next try gives the node back
            message = record_hang(campaign, self.host, Step(self.step), try_number=ti.try_number)
            raise AirflowFailException(f"{self.host}: {message}") from exc

    def _end(self, context: Mapping[str, Any], campaign: CampaignContext, turn: Ended) -> str:
        """End the task as the step ended: wait, ask a person, fail, be skipped, or say what was done."""
        result = turn.result
        self.log.info("%s.%s: %s: %s", self.host, self.step, result.outcome, result.message)
        if turn.question:
            self._ask_person(context, campaign, turn.question)
        if result.outcome is Outcome.WAITING:
            self.defer(trigger=self._wait_for(result.code), method_name="resume")
        if result.outcome in {Outcome.HELD, Outcome.FAILED}:
            raise AirflowFailException(f"{self.host} {result.outcome}: {result.message}")
        if result.outcome is Outcome.SKIPPED and self.step != Step.RELEASE:
            raise AirflowSkipException(result.message)
        return result.message


def shorten(exc: EscalatorError) -> EscalatorError:
    """Take the way through libraries off an error that another try may mend: what it says is all there is."""
    return exc.with_traceback(None)


def _waits_for_answers(result: StepResult) -> bool:
    """Tell whether managers were asked, and have not all answered yet."""
    return result.outcome is Outcome.WAITING and result.code is None
