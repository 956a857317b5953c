"""The switch of a node's power, as the inventory settings declare it, with the secrets of its connection."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from escalator.model.errors import InvalidRequestError
from escalator.model.inventory import Inventory
from escalator.model.inventory_settings import PowerPlace
from escalator.system_support.power import (
    CREDENTIALS,
    CommandPower,
    PowerSwitch,
    make_run_here,
    make_run_there,
)
from escalator.system_support.programs import Ended
from escalator.system_support.ssh import NodeShell


def find_power(inventory: Inventory, connect: Callable[[str], NodeShell], host: str) -> PowerSwitch | None:
    """Return what switches the power of a node; None where the operator declared nothing.

    :param connect: opens a shell on a node or the controller.
    """
    commands, controller = inventory.power, inventory.controller
    if commands is None:
        return None
    if commands.run_on is PowerPlace.CONTROLLER and controller is not None:
        there = partial(connect, controller.address)
        return CommandPower(host, commands, make_run_there(host, commands.limit_seconds, there))

    def run(command: str) -> Ended:
        secrets = _read_connection(commands.conn_id) if commands.conn_id else {}
        return make_run_here(host, commands.limit_seconds, secrets)(command)

    return CommandPower(host, commands, run)


def _read_connection(conn_id: str) -> dict[str, str]:
    """Return address, user and password of a connection, as the commands find them in their environment.

    :raises InvalidRequestError: there is no such connection.
    """
    try:
        found = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as exc:
        raise InvalidRequestError(
            f"there is no connection {conn_id} of the power switch",
            remedy="make it, or correct power.conn_id in the inventory settings",
        ) from exc
    values = {"ADDRESS": found.host, "USER": found.login, "PASSWORD": found.password}
    return {f"{CREDENTIALS}{name}": value for name, value in values.items() if value}
