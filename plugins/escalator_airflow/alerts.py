"""The Alertmanager of a cloud, as the inventory settings name it, by its Airflow connection."""

from __future__ import annotations

from functools import partial

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from escalator.alerts.alertmanager import Access, Alertmanager
from escalator.alerts.watch import AlertWatch
from escalator.model.errors import InvalidRequestError
from escalator.model.inventory import Inventory

PORT = 9093
"""Where an Alertmanager listens when nobody says otherwise."""


def find_alerts(inventory: Inventory) -> AlertWatch | None:
    """Return the alerts of a cloud, opened when they are asked for; None where nothing is declared."""
    settings = inventory.alerts
    return AlertWatch(settings, partial(open_alertmanager, settings.conn_id)) if settings else None


def open_alertmanager(conn_id: str) -> Alertmanager:
    """Open the Alertmanager that a connection describes.

    Its host is the host, or the whole address with a path; schema ``http`` or ``https``; login and password,
    or in the extras ``token``; ``cacert`` there names a file.

    :raises InvalidRequestError: there is no such connection, or its address is none.
    """
    try:
        found = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as exc:
        raise InvalidRequestError(
            f"there is no connection {conn_id} of the Alertmanager",
            remedy="make it, or correct alerts.conn_id in the inventory settings",
        ) from exc
    host, extra = found.host or "", found.extra_dejson
    url = host if "://" in host else f"{found.schema or 'http'}://{host}:{found.port or PORT}"
    return Alertmanager(
        Access(
            url=url,
            user=found.login or None,
            password=found.password or None,
            token=str(extra["token"]) if extra.get("token") else None,
            ca_file=str(extra["cacert"]) if extra.get("cacert") else None,
        )
    )
