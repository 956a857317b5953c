"""Shares of Manila that are attached to servers: Nova tells of them for one server at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

from openstack.connection import Connection

from escalator.cloud_manager.api import ServiceApi, find_api
from escalator.cloud_manager.ports import add_features
from escalator.model.cloud import CloudSnapshot
from escalator.model.errors import ForbiddenError, NotFoundError
from escalator.model.feature import Feature
from escalator.model.unread import CloudPart, Unread

_MAJOR, _MINOR = 2, 97
SINCE = f"{_MAJOR}.{_MINOR}"
"""The first microversion of Nova's (2025.1) with shares of servers."""
SERVICE_TYPES = ("shared-file-system", "sharev2")
"""What Manila is called in a catalogue."""
MOST_ASKED = 500
"""Servers of a cloud that a check asks for; the precheck of a node asks for all of its own."""
_AT_ONCE = 8
_HAS = frozenset({Feature.SHARE})

log = logging.getLogger(__name__)


def find_manila(connection: Connection) -> bool:
    """Tell whether the catalogue lists Manila; costs a token, if there is none yet."""
    return any(find_api(connection, name).exists() for name in SERVICE_TYPES)


class Shares:
    """Finds the servers with a share attached, where there may be any; elsewhere no call is made.

    :param has_manila: tells whether the catalogue lists Manila.
    """

    def __init__(self, compute: ServiceApi, has_manila: Callable[[], bool]) -> None:
        self._compute = compute
        self._has_manila = has_manila
        self._attachable: bool | None = None

    def are_attachable(self) -> bool:
        """Tell whether the cloud has Manila and a Nova that attaches shares. One call, once, with Manila."""
        if self._attachable is None:
            offered = self._compute.fetch_range() if self._has_manila() else None
            self._attachable = offered is not None and _is_enough(offered[1])
        return self._attachable

    def fetch_features(self, server_ids: Sequence[str]) -> dict[str, frozenset[Feature]]:
        """Read which of some servers have a share, by their ids. One call a server, eight at once.

        :raises ForbiddenError: the user may not list them.
        """
        if not server_ids or not self.are_attachable():
            return {}
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="shares") as pool:
            found = pool.map(self._has_share, server_ids)
            return {server_id: _HAS for server_id, has in zip(server_ids, found, strict=True) if has}

    def _has_share(self, server_id: str) -> bool:
        try:
            found = self._compute.get(f"/servers/{server_id}/shares", microversion=SINCE)
        except NotFoundError:
            return False  # it is gone
        return bool(found["shares"])

    def add_to(self, snapshot: CloudSnapshot) -> CloudSnapshot:
        """Return a snapshot with the shares of its servers; it names what was not asked."""
        on_nodes = sorted(
            (s for s in snapshot.servers if not s.on_no_node), key=lambda s: (s.host or "", s.id)
        )
        if not on_nodes or not self.are_attachable():
            return snapshot
        asked = [server.id for server in islice(on_nodes, MOST_ASKED)]
        try:
            found = self.fetch_features(asked)
        except ForbiddenError as exc:
            return _note(snapshot, exc.message, partly=False)
        told = replace(snapshot, servers=add_features(snapshot.servers, found))
        if len(asked) == len(on_nodes):
            return told
        return _note(told, f"{len(asked)} of {len(on_nodes)} servers were asked for theirs", partly=True)


def _is_enough(highest: str) -> bool:
    """Tell whether a highest microversion has shares; one that cannot be read has none."""
    major, _, minor = highest.partition(".")
    return major == str(_MAJOR) and minor.isdecimal() and int(minor) >= _MINOR


def _note(snapshot: CloudSnapshot, message: str, *, partly: bool) -> CloudSnapshot:
    log.warning("shares of servers: %s", message)
    unread = Unread(part=CloudPart.SHARES, message=message, partly=partly)
    return replace(snapshot, unread=(*snapshot.unread, unread))
