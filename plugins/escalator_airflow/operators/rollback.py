"""The conditions of a rollback: which run it takes back, with what, and whether that can be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from escalator.documents.requests import parse_rollback
from escalator.ledger.ledger import Ledger
from escalator.model.clock import utcnow
from escalator.model.errors import InvalidRequestError
from escalator.model.procedure import ROLLBACK, UPGRADE
from escalator.model.wording import name_some
from escalator.steps.campaign.undoing import find_undoing
from escalator_airflow.campaigns import read_asked_for, run_of
from escalator_airflow.operators.campaign import CheckConditionsOperator, Work
from escalator_airflow.run_life import find_run_life


class CheckRollbackOperator(CheckConditionsOperator):
    """Refuses what cannot be taken back with one clear message, before any write."""

    def find_work(self, context: Mapping[str, Any]) -> Work:
        """Find the run that is taken back, its nodes, and the bundle that brings back what they had.

        :raises InvalidRequestError: names every fault at once, or why nothing can be brought back.
        """
        dag_id, _ = run_of(context)
        request, run_id = parse_rollback(
            read_asked_for(context),
            cloud=self.cloud,
            domain=self.domain,
            known_hosts=self.hosts,
            now=utcnow(),
        )
        campaign = UPGRADE.name + dag_id.removeprefix(ROLLBACK.name)
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
