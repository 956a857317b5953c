"""Operators of a node's life: the deferred door, and the steps behind it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, AirflowTaskTimeout
from airflow.triggers.base import StartTriggerArgs

from escalator.model.campaign import Step
from escalator.model.decisions import Admission
from escalator.model.errors import SupersededError
from escalator.model.step import Outcome
from escalator.steps.running.run_step import record_hang, run_admit, run_step
from escalator_airflow.campaigns import open_campaign, run_of
from escalator_airflow.pools import ADMISSION_POOL
from escalator_airflow.task_states import read_step_states
from escalator_airflow.triggers.admission import AdmissionTrigger

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
        del event
        campaign = open_campaign(*run_of(context))
        decision = run_admit(campaign, self.host, try_number=context["ti"].try_number)
        self.log.info("%s: %s: %s", self.host, decision.admission, decision.message)
        match decision.admission:
            case Admission.ADMIT:
                return
            case Admission.WAIT:
                pause = random.uniform(1.0, 5.0)  # noqa: S311  two that collided must not meet again
                trigger = AdmissionTrigger(host=self.host, pause_seconds=pause)
                self.defer(trigger=trigger, method_name="take")
            case Admission.SKIP | Admission.STOP:
                raise AirflowSkipException(decision.message)
            case Admission.HOLD:
                raise AirflowFailException(decision.message)


class NodeStepOperator(BaseOperator):
    """Runs one step of a node; a held or failed node fails the task, without another try.

    :param host: nova-compute service host.
    :param step: which step.
    """

    def __init__(self, *, host: str, step: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.host = host
        self.step = step

    def execute(self, context: Mapping[str, Any]) -> str:
        """Run the step and say how it ended."""
        ti = context["ti"]
        try:
            result = run_step(
                open_campaign(*run_of(context)),
                self.host,
                Step(self.step),
                try_number=ti.try_number,
                last_try=ti.try_number > ti.max_tries,
                states=read_step_states(context, self.task_id) if self.step == Step.RELEASE else {},
            )
        except SupersededError as exc:
            raise AirflowFailException(str(exc)) from exc
        except AirflowTaskTimeout as exc:
            if self.step == Step.RELEASE:
                raise  # the next try gives the node back
            campaign = open_campaign(*run_of(context))
            message = record_hang(campaign, self.host, Step(self.step), try_number=ti.try_number)
            raise AirflowFailException(f"{self.host}: {message}") from exc
        self.log.info("%s.%s: %s: %s", self.host, self.step, result.outcome, result.message)
        if result.outcome in {Outcome.HELD, Outcome.FAILED}:
            raise AirflowFailException(f"{self.host} {result.outcome}: {result.message}")
        if result.outcome is Outcome.SKIPPED and self.step != Step.RELEASE:
            raise AirflowSkipException(result.message)
        return result.message
