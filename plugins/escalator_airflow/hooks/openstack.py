"""An OpenStack cloud through an Airflow connection of type ``openstack``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseHook
from openstack.connection import Connection

from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.cloud import Cloud
from escalator.cloud_manager.connection import API_TIMEOUT_SECONDS, connect
from escalator.cloud_manager.credentials import CloudCredentials
from escalator.cloud_manager.listing_store import ListingStore
from escalator.cloud_manager.tokens import TokenCache
from escalator.model.canary import CanaryWish
from escalator.model.errors import InvalidRequestError


class OpenStackCloudHook(BaseHook):
    """Reads the connection and opens the cloud with openstacksdk.

    The connection has the fields of ``apache-airflow-providers-openstack`` (which need not be installed):
    auth URL in host, login, password, extras ``OS_*``; or, in its extras, ``cloud`` and ``clouds_yaml``, an
    application credential, ``cacert``, ``region_name``, ``interface``.
    """

    conn_name_attr = "openstack_conn_id"
    default_conn_name = "openstack_default"
    conn_type = "openstack"
    hook_name = "OpenStack"

    def __init__(self, openstack_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.openstack_conn_id = openstack_conn_id

    def get_conn(self) -> Cloud:
        """Open the cloud; every request is counted."""
        return open_cloud(self.get_connection(self.openstack_conn_id))


def open_cloud(connection: Any) -> Cloud:
    """Open the cloud that an Airflow connection describes.

    :raises InvalidRequestError: fields are missing; each is named before any call.
    """
    counter = CallCounter()
    opened = connect_to(connection, counter)
    return Cloud(
        opened,
        counter,
        listings=find_listing_store(os.environ, opened),
        canary=read_canary(connection.extra_dejson),
    )


def read_canary(extra: Mapping[str, object]) -> CanaryWish:
    """Read what the extras of a connection say of canaries: ``canary_flavor``, ``_image``, ``_network``.

    ``canary`` as ``off`` (or false) switches them off.
    """
    names = ("flavor", "image", "network")
    said = {name: str(extra.get(f"canary_{name}") or "").strip() or None for name in names}
    off = str(extra.get("canary", "")).strip().lower() in {"off", "false", "no"}
    return CanaryWish(flavor=said["flavor"], image=said["image"], network=said["network"], off=off or None)


def find_listing_store(environment: Mapping[str, str], opened: Connection) -> ListingStore | None:
    """Return where the tasks of this machine keep the servers of a large cloud; None: nowhere."""
    place = str(opened.config.get_region_name("compute"))
    return ListingStore.from_environment(environment, opened.session.auth, place)


def connect_to(
    connection: Any, counter: CallCounter, *, timeout_seconds: float = API_TIMEOUT_SECONDS
) -> Connection:
    """Connect to the cloud that an Airflow connection describes; nothing is sent yet.

    :param timeout_seconds: how long one request may take.
    :raises InvalidRequestError: fields are missing; each is named, with the connection's id.
    """
    try:
        credentials = CloudCredentials.from_connection_fields(
            host=connection.host,
            login=connection.login,
            password=connection.password,
            schema=connection.schema,
            port=connection.port,
            extra=connection.extra_dejson,
        )
    except InvalidRequestError as exc:
        name = f"Airflow connection {connection.conn_id}"
        raise InvalidRequestError(f"{name}: {exc.message}", remedy=exc.remedy) from exc
    tokens = TokenCache.from_environment(os.environ)
    return connect(credentials, counter, timeout_seconds=timeout_seconds, tokens=tokens)
