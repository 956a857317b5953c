"""One reader of a cloud for all that keep watch over it in one process."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from threading import Lock, Thread

from escalator.cloud_manager.cloud import Cloud
from escalator.model.errors import EscalatorError
from escalator_airflow.hooks.openstack import OpenStackCloudHook

OPEN_SECONDS = 3600.0
"""After so long the connection is read anew: a password may have been changed."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Shared:
    cloud: Cloud
    opened: float
    refreshing: Thread | None = None


_CLOUDS: dict[str, _Shared] = {}
_LOCK = Lock()


def open_shared_cloud(conn_id: str) -> Cloud:
    """Return the cloud of a connection, the same one for all who ask within an hour."""
    with _LOCK:
        shared = _CLOUDS.get(conn_id)
        if shared is None or time.monotonic() - shared.opened > OPEN_SECONDS:
            cloud = OpenStackCloudHook(conn_id).get_conn()
            shared = _CLOUDS[conn_id] = _Shared(cloud, time.monotonic())
        return shared.cloud


def follow_shared_cloud(conn_id: str, cloud: Cloud) -> Cloud:
    """Return the cloud that is shared now, for who has one already; that one when none is. Opens none."""
    with _LOCK:
        shared = _CLOUDS.get(conn_id)
        return cloud if shared is None else shared.cloud


def close_shared_cloud(conn_id: str, cloud: Cloud) -> None:
    """Share a cloud no longer: who asks next opens its connection anew. One opened since then stays."""
    with _LOCK:
        if conn_id in _CLOUDS and _CLOUDS[conn_id].cloud is cloud:
            del _CLOUDS[conn_id]


def start_refresh(conn_id: str, cloud: Cloud) -> None:
    """Let a large cloud be listed whole when that is due, beside the looks; a second call starts no other."""
    with _LOCK:
        shared = _CLOUDS.get(conn_id)
        if (
            shared is None
            or shared.cloud is not cloud
            or (shared.refreshing and shared.refreshing.is_alive())
        ):
            return
        shared.refreshing = Thread(target=_refresh, args=(cloud,), name="refresh", daemon=True)
        shared.refreshing.start()


def _refresh(cloud: Cloud) -> None:
    try:
        if cloud.refresh_if_due():
            log.info("every server of the cloud was listed anew, beside the looks")
    except EscalatorError as exc:
        log.warning("the servers of the cloud are not listed anew, and are next time: %s", exc)
