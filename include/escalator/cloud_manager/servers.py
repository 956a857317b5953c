"""Servers: reading them, and the requests that move, stop and start them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from escalator.cloud_manager.api import Query, Record, ServiceApi
from escalator.cloud_manager.listing import ServersRead
from escalator.cloud_manager.records import parse_time, read_server
from escalator.cloud_manager.services import ComputeServices
from escalator.model.cloud import Server
from escalator.model.errors import ForbiddenError

PAGE = 1000
"""Servers that are asked for at once: more take Nova longer than a request may take. It may give fewer."""
_SOFT_DELETED = "soft-delete"
_HOST = "OS-EXT-SRV-ATTR:host"
_DELETED = "DELETED"


class Servers:
    """Reads servers and asks Nova to act on them. A request that is accepted is not one that succeeded."""

    def __init__(self, compute: ServiceApi, services: ComputeServices) -> None:
        self._compute = compute
        self._services = services

    def read_all(self) -> ServersRead:
        """Read every server of the cloud: one call for each thousand.

        No filter is used: with one, Nova leaves out the servers of a cell that is down without a word.

        :raises TransientError: a cell is down.
        """
        return self._read({})

    def read_soft_deleted(self) -> ServersRead:
        """Read the servers that were deleted but still take their place; a plain list leaves them out."""
        return self._read({"soft_deleted": "True", "vm_state": _SOFT_DELETED})

    def read_changed(self, since: datetime) -> ServersRead:
        """Read the servers that changed since a moment (aware), deleted ones too: one call for each thousand.

        Nova counts every write of a server's record, those of its metadata included. The servers of a cell
        that is down are left out: see before that all answer.
        """
        return self._read({"changes-since": since.isoformat()})

    def fetch_on(self, host: str) -> tuple[Server, ...]:
        """Read the servers of one node, soft-deleted ones too, sorted by name.

        One call for each thousand, and one more when there is none: an empty answer is believed only when
        the cell of the node answers.

        :raises TransientError: the cell is down.
        :raises NotFoundError: the answer is empty and there is no such host.
        """
        servers = _sorted(list(self._read({"soft_deleted": "True", "host": host}).servers))
        if not servers:
            self._services.fetch(host)
        return servers

    def fetch(self, server_id: str) -> Server:
        """Read one server.

        :raises NotFoundError: there is none.
        """
        return read_server(self._compute.get(f"/servers/{server_id}")["server"])

    def start_live_migration(self, server_id: str, destination: str) -> None:
        """Ask for a live migration to a host, which the scheduler checks: it is never forced.

        Nova decides by itself whether disks are copied. The checks run after the answer: that the host is
        disabled, full, or the server's own shows in the migration only, which ends in ``error``.

        :raises ConflictError: the server's state forbids it.
        :raises InvalidRequestError: there is no such host.
        """
        self._act(server_id, {"os-migrateLive": {"host": destination, "block_migration": "auto"}})

    def start_cold_migration(self, server_id: str, destination: str) -> None:
        """Ask for a cold migration to a host; it waits in VERIFY_RESIZE to be confirmed.

        :raises ConflictError: the server's state forbids it.
        """
        self._act(server_id, {"migrate": {"host": destination}})

    def confirm_resize(self, server_id: str) -> None:
        """Confirm a cold migration, which frees the place on the source.

        The migration is ``confirmed`` a moment before the server leaves the vm_state ``resized``.

        :raises ConflictError: the server does not wait for that.
        """
        self._act(server_id, {"confirmResize": None})

    def abort_migration(self, server_id: str, migration_id: int) -> None:
        """Abort a live migration that is queued, preparing or running.

        :raises ConflictError: the server does not migrate any more.
        :raises NotFoundError: there is no such migration under way.
        """
        self._compute.delete(f"/servers/{server_id}/migrations/{migration_id}")

    def force_complete(self, server_id: str, migration_id: int) -> None:
        """Let a running live migration end now: the server pauses until its memory has been copied.

        :raises ConflictError: the migration does not run.
        """
        path = f"/servers/{server_id}/migrations/{migration_id}/action"
        self._compute.post(path, {"force_complete": None})

    def stop(self, server_id: str) -> None:
        """Ask Nova to stop a server: its guest is asked to shut down, and powered off when it does not.

        How long it is given is Nova's: ``shutdown_timeout`` of the node, or ``os_shutdown_timeout`` of the
        image. An administrator stops a locked server as well.

        :raises ConflictError: the server's state forbids it: it is not active, or it is busy.
        """
        self._act(server_id, {"os-stop": None})

    def start(self, server_id: str) -> None:
        """Ask Nova to start a server that is shut off, on the node where it is, disabled or not.

        :raises ConflictError: the server's state forbids it: it is not shut off, or it is busy.
        """
        self._act(server_id, {"os-start": None})

    def _read(self, query: Query) -> ServersRead:
        asked = {"all_tenants": "True", "limit": PAGE, **query}
        servers, gone, newest = [], set[str](), None
        for record in self._compute.pages("/servers/detail", "servers", asked):
            changed = parse_time(record.get("updated"))
            newest = max(filter(None, (newest, changed)), default=None)
            if record.get("status") == _DELETED:
                gone.add(record["id"])
            else:
                servers.append(read_server(record))  # first: of a cell that is down more is left away
                refuse_untold(record)
        alive = {server.id for server in servers}  # its record in a cell that it left may be a deleted one
        return ServersRead(servers=tuple(servers), gone=frozenset(gone - alive), newest=newest)

    def _act(self, server_id: str, action: Mapping[str, object]) -> None:
        self._compute.post(f"/servers/{server_id}/action", action)


def refuse_untold(record: Record) -> None:
    """Refuse a record that leaves away what this user may not see: no host would look like no node.

    :raises ForbiddenError: the host of the server, or what its flavor asks for, is left away.
    """
    left_away = {
        "on which hosts servers are": _HOST not in record,
        "the extra specs of flavors": "extra_specs" not in record.get("flavor", {}),
    }
    for what, lacks in left_away.items():
        if lacks:
            raise ForbiddenError(
                f"GET compute /servers/detail: the answer does not say {what}",
                remedy="the user needs the admin role, or the policies that docs/check.md lists",
            )


def _sorted(servers: list[Server]) -> tuple[Server, ...]:
    return tuple(sorted(servers, key=lambda server: (server.name, server.id)))
