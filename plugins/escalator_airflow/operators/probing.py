"""The operator of the probes: one for a campaign, beside its nodes; it lives in the triggerer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseOperator
from airflow.triggers.base import StartTriggerArgs

from escalator_airflow.triggers.probing import ProbeTrigger

PROBE_TASK = "probe_services"
"""Its id in every campaign's DAG: how it ends is no matter to the run."""
TRIGGER = f"{ProbeTrigger.__module__}.{ProbeTrigger.__qualname__}"


class ProbeOperator(BaseOperator):
    """Probes the services of VNFs that have a server on a node which is worked on; never fails the run.

    :param tasks: ids of the nodes' last tasks; when all have ended, so does this one.
    """

    start_from_trigger = True

    def __init__(self, *, tasks: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tasks = list(tasks)
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=TRIGGER,
            trigger_kwargs={"tasks": self.tasks},
            next_method="finish",
            next_kwargs={},
            timeout=None,
        )

    def execute(self, context: Mapping[str, Any]) -> None:
        """Go to the triggerer: only reached when the task did not start there."""
        del context
        self.defer(trigger=ProbeTrigger(tasks=self.tasks), method_name="finish")

    def finish(self, context: Mapping[str, Any], event: object = None) -> None:
        """Say how it ended; the gaps are in the ledger and in the report."""
        del context
        message = event.get("message") if isinstance(event, Mapping) else None
        self.log.info("%s", message or "no node is worked on any more: the probes have ended")
