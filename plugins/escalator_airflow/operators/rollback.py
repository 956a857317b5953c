"""The conditions of a rollback: which run it takes back, with what, and whether that can be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow.triggers.base import BaseTrigger

from escalator.documents.requests import parse_rollback
from escalator.ledger.ledger import Ledger
from escalator.model.clock import utcnow
from escalator.model.errors import InvalidRequestError
from escalator.model.procedure import ROLLBACK, UPGRADE
from escalator.model.run_life import RunLife
from escalator.model.wording import name_some
from escalator.steps.campaign.undoing import find_undoing
from escalator_airflow.campaigns import read_asked_for, run_of
from escalator_airflow.operators.campaign import CheckConditionsOperator, Work
from escalator_airflow.run_life import find_run_life

BY_TASK = "operator_triggered"
"""Airflow's type of a run that a task began: that of the campaign which is taken back, as a rule."""
POLL_SECONDS = 5.0


class CheckRollbackOperator(CheckConditionsOperator):
    """Refuses what cannot be taken back with one clear message, before any write.

    A run that its own campaign began comes when that one is about to end: it waits for it.
    """

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Wait for the end of the run that began this one; judge the request, open the campaign."""
        run_id = read_asked_for(context).get("run_id")
        if context["dag_run"].run_type == BY_TASK and isinstance(run_id, str):
            campaign = _name_campaign(context)
            if find_run_life(context, campaign, run_id) is RunLife.RUNNING:
                self.log.info("waiting for the end of %s %s", campaign, run_id)
                self.defer(trigger=_wait_for(campaign, run_id), method_name="resume")
        return super().execute(context)

    def resume(self, context: Mapping[str, Any], event: object = None) -> dict[str, Any]:
        """Go on: the run that is taken back has ended."""
        del event
        return self.execute(context)

    def find_work(self, context: Mapping[str, Any]) -> Work:
        """Find the run that is taken back, its nodes, and the bundle that brings back what they had.

        :raises InvalidRequestError: names every fault at once, or why nothing can be brought back.
        """
        request, run_id = parse_rollback(
            read_asked_for(context),
            cloud=self.cloud,
            domain=self.domain,
            known_hosts=self.hosts,
            now=utcnow(),
        )
        campaign = _name_campaign(context)
        undoing = find_undoing(Ledger(), campaign, run_id, hosts=request.hosts)
        life = find_run_life(context, campaign, undoing.run.run_id)
        if not life.is_over:
            raise InvalidRequestError(
                f"the run {undoing.run} is not known to be over ({life}): it may still upgrade nodes",
                remedy="wait for its end, or mark it failed: nodes in flight are left as they are then",
            )
        gone = sorted(set(undoing.hosts) - set(self.hosts))
        if gone:
            raise InvalidRequestError(
                f"the run {undoing.run} changed {name_some(gone)}, which this DAG does not have",
                remedy="refresh the inventory, or name the other hosts",
            )
        self.log.info("what %s changed is taken back on %s", undoing.run, ", ".join(undoing.hosts))
        name = str(undoing.bundle_document["name"])
        return Work(
            request=replace(request, bundle=name, hosts=undoing.hosts),
            bundle_document=undoing.bundle_document,
            hosts=undoing.hosts,
            undoes=undoing.run,
        )


def _wait_for(campaign: str, run_id: str) -> BaseTrigger:
    """Make what fires when a run has ended."""
    from airflow.providers.standard.triggers.external_task import DagStateTrigger  # noqa: PLC0415  heavy
    from airflow.utils.state import DagRunState  # noqa: PLC0415

    ends = [DagRunState.SUCCESS, DagRunState.FAILED]
    return DagStateTrigger(campaign, ends, run_ids=[run_id], poll_interval=POLL_SECONDS)


def _name_campaign(context: Mapping[str, Any]) -> str:
    """Return the id of the DAG whose run is taken back."""
    dag_id, _ = run_of(context)
    return UPGRADE.name + dag_id.removeprefix(ROLLBACK.name)
