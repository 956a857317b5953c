"""A shell on a compute node through an Airflow connection of type ``ssh``, host keys verified."""

from __future__ import annotations

from collections.abc import Callable

from airflow.sdk import BaseHook

from escalator.model.errors import InvalidRequestError
from escalator.model.inventory import Inventory
from escalator.system_support.ssh import NodeShell
from escalator.system_support.target import SshTarget


class NodeShellHook(BaseHook):
    """Reads one connection for all nodes of a cloud; each node's address comes from the inventory."""

    conn_name_attr = "ssh_conn_id"
    conn_type = "ssh"
    hook_name = "SSH"

    def __init__(self, inventory: Inventory) -> None:
        super().__init__()
        self.inventory = inventory

    def get_conn(self) -> Callable[[str], NodeShell]:
        """Return what opens a shell on a node by its nova-compute host name."""
        connection = self.get_connection(self.inventory.ssh_conn_id)
        addresses = {node.host: node.address for node in self.inventory.nodes}

        def open_shell(host: str) -> NodeShell:
            if host not in addresses:
                raise InvalidRequestError(
                    f"{host} has no address in the inventory of {self.inventory.cloud}",
                    remedy="run the DAG 'inventory'",
                )
            target = SshTarget.from_connection_fields(
                connection.login,
                connection.password,
                connection.port,
                connection.extra_dejson,
                host=host,
                address=addresses[host],
            )
            return NodeShell(target)

        return open_shell
