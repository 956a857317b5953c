"""Images of servers: Nova takes them, Glance has them; of volumes they are Cinder's snapshots."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

from escalator.cloud_manager.api import Record, ServiceApi
from escalator.model.errors import NotFoundError
from escalator.model.server_image import ImageState

TAG = "escalator_backup"
"""Property of an image: the backup that it belongs to."""
SERVER = "escalator_server"
"""Property of an image: id of its server. Nova's own ``instance_uuid`` is not on images of volumes."""

log = logging.getLogger(__name__)


class ServerImages:
    """Has images taken, and finds them again.

    :param volume: Cinder; asked only about images that are snapshots of volumes.
    """

    def __init__(self, compute: ServiceApi, image: ServiceApi, volume: ServiceApi) -> None:
        self._compute = compute
        self._image = image
        self._volume = volume

    def order(self, server_id: str, *, name: str, tag: str) -> None:
        """Have Nova take an image of a server. One call.

        :raises ConflictError: the server is busy.
        :raises NotFoundError: it is gone.
        """
        metadata = {TAG: tag, SERVER: server_id}
        self._compute.post(
            f"/servers/{server_id}/action", {"createImage": {"name": name, "metadata": metadata}}
        )
        log.info("server %s: image %s ordered", server_id, name)

    def find(self, server_id: str, *, tag: str) -> ImageState | None:
        """Find the image of a server that belongs to a backup: the best, where there are several. One call.

        One that is made of snapshots costs one call for each of them.
        """
        found = self._image.get("/images", {TAG: tag, SERVER: server_id, "sort": "created_at:asc"})["images"]
        states = [self._read(record) for record in found]
        whole = (state for state in states if state.status == "active")
        going = (state for state in states if not state.is_over)
        return next(whole, next(going, next(iter(states), None)))

    def _read(self, record: Record) -> ImageState:
        snapshots = tuple(_list_snapshots(record))
        status = str(record["status"])
        if status == "active" and snapshots:
            status = self._ask_cinder(snapshots)
        return ImageState(
            id=str(record["id"]),
            status=status,
            size_bytes=int(record.get("size") or 0),
            snapshots=snapshots,
        )

    def _ask_cinder(self, snapshots: tuple[str, ...]) -> str:
        """Tell how far an image's snapshots are, in Glance's words: it is active before they are."""
        for snapshot in snapshots:
            try:
                status = self._volume.get(f"/snapshots/{snapshot}")["snapshot"]["status"]
            except NotFoundError:
                return "killed"
            if status != "available":
                return "killed" if str(status).startswith("error") else "saving"
        return "active"


def _list_snapshots(record: Record) -> Iterator[str]:
    """Give the ids of the snapshots in Nova's ``block_device_mapping``, which is JSON in a property."""
    try:
        devices = json.loads(record.get("block_device_mapping") or "[]")
    except ValueError:
        return
    for device in devices:
        if device.get("snapshot_id"):
            yield str(device["snapshot_id"])
