"""The operator that refreshes an inventory file from its cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from escalator.inventory.inventory_file import read_inventory, write_inventory
from escalator.inventory.inventory_folder import RENAME, list_clashes_of
from escalator.inventory.read_nodes import read_inventory_of_cloud
from escalator.inventory.read_software import add_node_software
from escalator.inventory.refresh import Refresh, find_moved, make_refresh
from escalator.inventory.settings_file import read_settings
from escalator.ledger.ledger import Ledger
from escalator.model.clock import utcnow
from escalator.model.errors import InvalidRequestError, NodeFaultError
from escalator.model.inventory import Inventory
from escalator.model.inventory_settings import InventorySettings
from escalator.model.wording import name_some
from escalator.system_support.controller import read_cells
from escalator_airflow.hooks.node_ssh import NodeShellHook
from escalator_airflow.hooks.openstack import OpenStackCloudHook
from escalator_airflow.run_life import find_run_life
from escalator_airflow.settings import inventory_dir


class InventoryOperator(BaseOperator):
    """Reads a cloud and writes its inventory file; what is in the file of a node is kept where it may be.

    Addresses are kept, and so is the DAG of a node that somebody works on: a run, or whoever has its lease.
    """

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Write ``<inventory folder>/<cloud>.json``; the DAGs follow within one refresh of the DAG folder."""
        path = inventory_dir() / f"{context['params']['cloud']}.json"
        try:
            made = self._refresh(context, path)
        except (InvalidRequestError, NodeFaultError) as exc:
            raise AirflowFailException(str(exc)) from exc
        inventory = (
            self._add_versions(made.inventory) if context["params"].get("versions") else made.inventory
        )
        write_inventory(path, inventory)
        for clash in list_clashes_of(path.parent, inventory.cloud):
            self.log.warning("%s; %s", clash, RENAME)
        for put_off in made.put_off:
            self.log.warning("put off: %s", put_off)
        self.log.info("%d node(s) in %d domain(s): %s", len(inventory.nodes), len(inventory.domains()), path)
        return {
            "schema_version": 1,
            "nodes": len(inventory.nodes),
            "domains": list(inventory.domains()),
            "put_off": [str(put_off) for put_off in made.put_off],
        }

    def _add_versions(self, inventory: Inventory) -> Inventory:
        """Ask the nodes what they run; whoever does not tell keeps nothing from being written."""
        try:
            found, silent = add_node_software(inventory, NodeShellHook(inventory).get_conn())
        except AirflowNotFoundException:
            self.log.warning("no node is asked what it runs: no connection %s", inventory.ssh_conn_id)
            return inventory
        if silent:
            self.log.warning("what %d node(s) run was not told: %s", len(silent), name_some(silent))
        return found

    def _refresh(self, context: Mapping[str, Any], path: Path) -> Refresh:
        params = context["params"]
        before = read_inventory(path) if path.exists() else None
        settings = read_settings(path.parent, params["cloud"])
        found = read_inventory_of_cloud(
            OpenStackCloudHook(params["cloud_conn_id"]).get_conn(),
            params["cloud"],
            addresses={n.host: n.address for n in before.nodes} if before is not None else {},
            cloud_conn_id=params["cloud_conn_id"],
            ssh_conn_id=params["ssh_conn_id"],
            settings=settings,
            told=_find_told_cells(settings, params, before),
        )
        for warning in found.warnings:
            self.log.warning("%s", warning)
        moved = find_moved(before, found.inventory) if before is not None else ()
        busy = {**_find_at_work(context, params["cloud"], moved), **found.find_busy()}
        return make_refresh(before, found.inventory, busy)


def _find_told_cells(
    settings: InventorySettings, params: Mapping[str, Any], before: Inventory | None
) -> dict[str, str]:
    """Return the cells that Nova tells: on a controller now, else as the inventory so far has them.

    :return: none where the operator declares the cells.
    :raises EscalatorError: the controller does not tell.
    """
    if settings.cells:
        return {}
    controller = settings.controller
    if controller is None:
        return before.cells() if before is not None else {}
    inventory = Inventory(
        cloud=params["cloud"],
        taken_at=utcnow(),
        ssh_conn_id=params["ssh_conn_id"],
        controller=controller,
    )
    with NodeShellHook(inventory).get_conn()(controller.address) as shell:
        return read_cells(shell, controller)


def _find_at_work(context: Mapping[str, Any], cloud: str, hosts: Sequence[str]) -> dict[str, str]:
    """Return those of some hosts that belong to a run which lives, or may live, and that as the reason."""
    if not hosts:
        return {}
    at_work: dict[str, str] = {}
    for run in Ledger().open_runs(cloud):
        theirs = run.hosts.intersection(hosts)
        if theirs and not find_run_life(context, run.dag_id, run.run_id).is_over:
            at_work |= dict.fromkeys(theirs, f"run {run.run_id} of {run.dag_id} is not at its end")
    return at_work
