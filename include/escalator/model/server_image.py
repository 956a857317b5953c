"""Images of servers that are taken before their node is changed, and which servers have one taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePolicy:
    """Which servers have an image taken before their node is changed, by Nova's metadata.

    :ivar metadata: what a server must have, all of it.
    :ivar limit_seconds: how long one image may take.
    """

    metadata: Mapping[str, str]
    limit_seconds: float = 3600.0

    def chooses(self, metadata: Mapping[str, str]) -> bool:
        """Tell whether a server of that metadata has an image taken."""
        return all(metadata.get(key) == value for key, value in self.metadata.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageState:
    """An image as Glance shows it.

    :ivar status: Glance's: queued, saving, active, killed, deleted and the like.
    :ivar snapshots: ids of Cinder's snapshots that it is made of; none: it has its own bytes.
    """

    id: str
    status: str
    size_bytes: int = 0
    snapshots: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Tell whether it will never be whole."""
        return self.status in {"killed", "deleted", "pending_delete", "deactivated"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerImage:
    """An image of a server that was taken and is whole; ``taken_at`` is aware."""

    server_id: str
    server_name: str
    image_id: str
    taken_at: datetime
    size_bytes: int = 0
    snapshots: tuple[str, ...] = ()
