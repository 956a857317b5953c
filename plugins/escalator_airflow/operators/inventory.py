"""The operator that refreshes an inventory file from its cloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from escalator.inventory.inventory_file import read_inventory, write_inventory
from escalator.inventory.read_nodes import read_inventory_of_cloud
from escalator.model.errors import InvalidRequestError
from escalator_airflow.hooks.openstack import OpenStackCloudHook
from escalator_airflow.settings import inventory_dir


class InventoryOperator(BaseOperator):
    """Reads a cloud and writes its inventory file; addresses of nodes that are in the file are kept."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Write ``<inventory folder>/<cloud>.json``; the DAGs follow within one refresh of the DAG folder."""
        params = context["params"]
        path = inventory_dir() / f"{params['cloud']}.json"
        addresses = {n.host: n.address for n in read_inventory(path).nodes} if path.exists() else {}
        try:
            inventory = read_inventory_of_cloud(
                OpenStackCloudHook(params["cloud_conn_id"]).get_conn(),
                params["cloud"],
                addresses=addresses,
                cloud_conn_id=params["cloud_conn_id"],
                ssh_conn_id=params["ssh_conn_id"],
            )
        except InvalidRequestError as exc:
            raise AirflowFailException(str(exc)) from exc
        write_inventory(path, inventory)
        self.log.info("%d node(s) in %d domain(s): %s", len(inventory.nodes), len(inventory.domains()), path)
        return {"schema_version": 1, "nodes": len(inventory.nodes), "domains": list(inventory.domains())}
