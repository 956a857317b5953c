"""The clouds that the API speaks for: their inventories, and what they say of tokens and owners."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

from openstack.connection import Connection

from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.owners import fetch_group_owner, fetch_server_owner
from escalator.cloud_manager.token_check import TokenCheck, TokenFacts, fetch_token_facts
from escalator.inventory.inventory_file import find_inventory_path, read_inventory
from escalator.model.errors import InvalidRequestError
from escalator.model.inventory import Inventory
from escalator_airflow.settings import inventory_dir
from escalator_airflow.web.answers import RefusedError

CALL_TIMEOUT_SECONDS = 10.0
CONNECTION_KEPT_SECONDS = 300.0
"""How long a connection is used before the credentials are read anew."""
Answer = TypeVar("Answer")


def find_inventory(cloud: str) -> Inventory:
    """Read the inventory of a cloud.

    :raises RefusedError: there is no such cloud.
    :raises InvalidRequestError: its file is broken.
    """
    unknown = RefusedError(
        HTTPStatus.NOT_FOUND,
        f"there is no cloud {cloud}",
        remedy="use the name of its inventory, as in the endpoint of the service type maintenance",
    )
    try:
        path = find_inventory_path(inventory_dir(), cloud)
        changed = path.stat().st_mtime_ns
    except (InvalidRequestError, OSError):
        raise unknown from None
    return _read(path, changed)


@lru_cache(maxsize=16)
def _read(path: Path, _changed: int) -> Inventory:
    return read_inventory(path)


def open_cloud(conn_id: str) -> Connection:
    """Open the cloud of an Airflow connection, from within Airflow's API server.

    Its processes have the database; the hooks of tasks ask a supervisor, which is not there.
    """
    from airflow.models.connection import Connection as AirflowConnection  # noqa: PLC0415  the server has it

    from escalator_airflow.hooks.openstack import connect_to  # noqa: PLC0415

    found = AirflowConnection.get_connection_from_secrets(conn_id)
    return connect_to(found, CallCounter(), timeout_seconds=CALL_TIMEOUT_SECONDS)


class Clouds:
    """Says whose a token, a server or a server group is, as each cloud has it. Threads may share it.

    :param connect: opens the cloud of an Airflow connection.
    """

    def __init__(self, connect: Callable[[str], Connection] = open_cloud) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._checks: dict[tuple[str, str], TokenCheck] = {}
        self._opened: dict[str, tuple[float, Connection]] = {}

    def find_facts(self, inventory: Inventory, token: str) -> TokenFacts | None:
        """Return what the cloud's Keystone says of a token; None when it does not count.

        :raises EscalatorError: Keystone cannot be asked.
        """
        conn_id = inventory.cloud_conn_id
        with self._lock:
            check = self._checks.setdefault(
                (inventory.cloud, conn_id),
                TokenCheck(lambda token: self._ask(conn_id, fetch_token_facts, token)),
            )
        return check.find_facts(token)

    def find_server_owner(self, inventory: Inventory, server_id: str) -> str | None:
        """Return the id of the project of a server; None when Nova knows no such server.

        :raises EscalatorError: Nova cannot be asked.
        """
        return self._ask(inventory.cloud_conn_id, fetch_server_owner, server_id)

    def find_group_owner(self, inventory: Inventory, group_id: str) -> str | None:
        """Return the id of the project of a server group; None when Nova knows no such group.

        :raises EscalatorError: Nova cannot be asked.
        """
        return self._ask(inventory.cloud_conn_id, fetch_group_owner, group_id)

    def _ask(self, conn_id: str, fetch: Callable[[Connection, str], Answer], about: str) -> Answer:
        try:
            return fetch(self._open(conn_id), about)
        except InvalidRequestError:  # credentials may have been changed
            with self._lock:
                self._opened.pop(conn_id, None)
            raise

    def _open(self, conn_id: str) -> Connection:
        now = time.monotonic()
        with self._lock:
            known = self._opened.get(conn_id)
        if known is not None and now - known[0] < CONNECTION_KEPT_SECONDS:
            return known[1]
        opened = self._connect(conn_id)
        with self._lock:
            self._opened[conn_id] = (now, opened)
        return opened
