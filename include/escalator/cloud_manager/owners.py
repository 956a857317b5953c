"""Which project a server or a server group belongs to: asked of Nova by its id."""

from __future__ import annotations

from openstack.connection import Connection

from escalator.cloud_manager.api import find_api
from escalator.model.errors import NotFoundError


def fetch_server_owner(connection: Connection, server_id: str) -> str | None:
    """Return the id of the project of a server; None: Nova knows no such server. One call.

    :raises EscalatorError: Nova cannot be asked.
    """
    return _fetch_project(connection, f"/servers/{server_id}", "server", "tenant_id")


def fetch_group_owner(connection: Connection, group_id: str) -> str | None:
    """Return the id of the project of a server group; None: Nova knows no such group. One call.

    :raises EscalatorError: Nova cannot be asked.
    """
    return _fetch_project(connection, f"/os-server-groups/{group_id}", "server_group", "project_id")


def _fetch_project(connection: Connection, path: str, what: str, key: str) -> str | None:
    try:
        return str(find_api(connection, "compute").get(path)[what][key])
    except NotFoundError:
        return None
