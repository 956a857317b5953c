"""What Airflow's connections hold for the VIM interface: credentials of managers, the message bus."""

from __future__ import annotations

import os
from urllib.parse import quote

from airflow.sdk import BaseHook

from escalator.model.errors import InvalidRequestError
from escalator.vim_interface.delivery.credentials import Credentials
from escalator.vim_interface.delivery.messaging import TRANSPORT_VARIABLE


def find_vnfm_credentials(conn_id: str) -> Credentials:
    """Return the credentials of a manager: ``token`` in the extra fields (Bearer), else login and password.

    :raises AirflowNotFoundException: there is no such connection.
    """
    connection = BaseHook.get_connection(conn_id)
    token = connection.extra_dejson.get("token")
    return Credentials(
        login=connection.login,
        password=connection.password,
        token=token if isinstance(token, str) else None,
    )


def find_transport_url() -> str | None:
    """Return the address of the message bus; None when none is configured.

    ``ESCALATOR_VIM_TRANSPORT`` is the address itself, or the id of a connection: its type is the driver
    (``rabbit`` unless it says another of oslo.messaging's), its schema the virtual host.

    :raises InvalidRequestError: the connection has no host.
    """
    said = os.environ.get(TRANSPORT_VARIABLE)
    if not said or ":" in said:
        return said or None
    connection = BaseHook.get_connection(said)
    if not connection.host:
        raise InvalidRequestError(
            f"the connection {said} of the message bus has no host",
            remedy=f"correct it, or give {TRANSPORT_VARIABLE} the address",
        )
    driver = connection.conn_type if connection.conn_type in {"rabbit", "kafka", "fake"} else "rabbit"
    login = quote(connection.login or "", safe="")
    password = quote(connection.password or "", safe="")
    port = f":{connection.port}" if connection.port else ""
    virtual_host = quote((connection.schema or "").removeprefix("/"), safe="")
    return f"{driver}://{login}:{password}@{connection.host}{port}/{virtual_host}"
