"""The operator that compares what is out in the cloud, in the ledger and in Airflow; it writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from escalator.inventory.parts import list_parts
from escalator.leases.discrepancies import find_discrepancies
from escalator.leases.known import find_known_leases
from escalator.ledger.ledger import Ledger
from escalator.ledger.open_runs import OpenRun
from escalator.model.clock import utcnow
from escalator.model.errors import InvalidRequestError
from escalator.model.inventory import Inventory
from escalator.model.naming import make_dag_id
from escalator.model.procedure import PROCEDURES
from escalator.model.run_life import RunLife
from escalator.model.verdict import Verdict
from escalator_airflow.campaigns import load_inventory
from escalator_airflow.graph import make_group_id
from escalator_airflow.hooks.openstack import OpenStackCloudHook
from escalator_airflow.run_life import find_run_life
from escalator_airflow.task_states import ENDED, ask_task_states


class ReconcileOperator(BaseOperator):
    """Finds leases that nobody ends, nodes that only the ledger has out, and runs that Airflow lost.

    :param cloud: name of the cloud, as its inventory file is called.
    """

    def __init__(self, *, cloud: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cloud = cloud

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Look, say every lease in the log, and fail when something is not in order."""
        try:
            found = self._look(context)
        except InvalidRequestError as exc:
            raise AirflowFailException(str(exc)) from exc
        for verdict in found:
            self.log.error("%s", verdict)
        if found:
            raise AirflowFailException(f"{len(found)} thing(s) to do: {'; '.join(map(str, found))}")
        self.log.info("cloud, ledger and Airflow agree on what is out")
        return {"schema_version": 1, "found": 0}

    def _look(self, context: Mapping[str, Any]) -> tuple[Verdict, ...]:
        inventory = load_inventory(self.cloud)
        cloud = OpenStackCloudHook(inventory.cloud_conn_id).get_conn()
        # Before the ledger: a node that is taken or given back meanwhile has only just changed there.
        services = cloud.fetch_services()
        ledger, find_life = Ledger(), partial(find_run_life, context)
        runs = [(run, find_life(run.dag_id, run.run_id)) for run in ledger.open_runs(self.cloud)]
        known = find_known_leases(services, ledger, find_life)
        for lease in known:
            self.log.info("%s: %s", lease.host, lease.story)
        stopped = {
            (run.dag_id, run.run_id): _find_stopped(context, run)
            for run, life in runs
            if life is RunLife.RUNNING
        }
        dags = _list_dags(inventory)
        return find_discrepancies(services, known, runs, utcnow(), dags=dags, stopped=stopped)


def _find_stopped(context: Mapping[str, Any], run: OpenRun) -> frozenset[str]:
    """Return the hosts of a run for which no task goes on or is to come."""
    states = ask_task_states(context, run.dag_id, run.run_id)
    stopped = set()
    for host in run.hosts:
        group = make_group_id(host)
        found = {state for task, state in states.items() if task.rpartition(".")[0] == group}
        stopped |= {host} if found and found <= ENDED else set()
    return frozenset(stopped)


def _list_dags(inventory: Inventory) -> dict[str, tuple[str, ...]]:
    """Return the hosts of every campaign DAG that is made from an inventory."""
    return {
        make_dag_id(name, inventory.cloud, domain, part): hosts
        for name in PROCEDURES
        for domain in inventory.domains()
        for part, hosts in list_parts(inventory, domain).items()
    }
