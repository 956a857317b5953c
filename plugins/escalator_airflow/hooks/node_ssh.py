"""A shell on a compute node through an Airflow connection of type ``ssh``, host keys verified."""

from __future__ import annotations

from collections.abc import Callable

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from escalator.model.errors import InvalidRequestError
from escalator.model.inventory import Inventory, InventoryNode
from escalator.system_support.connecting import JumpHost
from escalator.system_support.playbooks.ssh_files import Route
from escalator.system_support.ssh import NodeShell
from escalator.system_support.target import SshTarget

JUMP = "jump_conn_id"
"""Extra of the nodes' connection that names the connection of the host that they are reached through."""


class NodeShellHook(BaseHook):
    """Reads one connection for all nodes of a cloud.

    Each node's address comes from the inventory, and its user and port where they stand there.
    """

    conn_name_attr = "ssh_conn_id"
    conn_type = "ssh"
    hook_name = "SSH"

    def __init__(self, inventory: Inventory) -> None:
        super().__init__()
        self.inventory = inventory

    def get_conn(self) -> Callable[[str], NodeShell]:
        """Return what opens a shell on a node by its nova-compute host, on a controller by its address."""
        find_way = self._find_ways()

        def open_shell(host: str) -> NodeShell:
            target, jump = find_way(host)
            return NodeShell(target, through=jump)

        return open_shell

    def find_route(self, host: str) -> Route:
        """Say how a node is reached, for programs that connect by themselves."""
        target, jump = self._find_ways()(host)
        return Route(target=target, jump=None if jump is None else jump.target)

    def find_password(self, conn_id: str) -> str:
        """Read the password of a connection, such as that of a vault.

        :raises InvalidRequestError: there is no such connection, or it has no password.
        """
        try:
            password = self.get_connection(conn_id).password
        except AirflowNotFoundException as exc:
            raise InvalidRequestError(
                f"there is no connection {conn_id} with the password of the vault",
                remedy="make it, or correct `vault` of the bundle",
            ) from exc
        if not password:
            raise InvalidRequestError(
                f"the connection {conn_id} has no password",
                remedy="give it that of the vault, or correct `vault` of the bundle",
            )
        return str(password)

    def _find_ways(self) -> Callable[[str], tuple[SshTarget, JumpHost | None]]:
        connection = self.get_connection(self.inventory.ssh_conn_id)
        nodes = {node.host: node for node in self.inventory.nodes}
        if (controller := self.inventory.controller) is not None:
            address = controller.address
            nodes.setdefault(address, InventoryNode(host=address, domain="", address=address))
        jump: JumpHost | InvalidRequestError | None = None
        try:
            jump = self._find_jump_host(connection.extra_dejson.get(JUMP))
        except InvalidRequestError as exc:
            jump = exc  # for who opens a shell: what needs no node goes on

        def find_way(host: str) -> tuple[SshTarget, JumpHost | None]:
            if host not in nodes:
                raise InvalidRequestError(
                    f"{host} has no address in the inventory of {self.inventory.cloud}",
                    remedy="run the DAG 'inventory'",
                )
            place = nodes[host].place
            target = SshTarget.from_connection_fields(
                place.user or connection.login,
                connection.password,
                place.port or connection.port,
                connection.extra_dejson,
                host=host,
                address=place.address,
            )
            if isinstance(jump, InvalidRequestError):
                raise jump
            return target, jump

        return find_way

    def _find_jump_host(self, conn_id: object) -> JumpHost | None:
        """Return the host that all nodes of the cloud are reached through; None: there is none."""
        if not conn_id:
            return None
        try:
            connection = self.get_connection(str(conn_id))
        except AirflowNotFoundException as exc:
            raise InvalidRequestError(
                f"there is no connection {conn_id} of the jump host",
                remedy=f"make it, or correct {JUMP} of the connection {self.inventory.ssh_conn_id}",
            ) from exc
        if connection.conn_type != self.conn_type or not connection.host:
            raise InvalidRequestError(
                f"the connection {conn_id} of the jump host is not of type ssh, or has no host",
                remedy=f"make it one, or correct {JUMP} of the connection {self.inventory.ssh_conn_id}",
            )
        if connection.extra_dejson.get(JUMP):
            raise InvalidRequestError(
                f"the jump host of {conn_id} has a jump host of its own",
                remedy="name one that is reached straight",
            )
        target = SshTarget.from_connection_fields(
            connection.login,
            connection.password,
            connection.port,
            connection.extra_dejson,
            host=connection.host,
            address=connection.host,
            role="jump host",
        )
        return JumpHost(target)
