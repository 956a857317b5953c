"""Masakari: hosts on maintenance, and the recoveries that are under way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from escalator.cloud_manager.api import Record, ServiceApi
from escalator.model.errors import ConflictError, NotFoundError, TransientError
from escalator.model.watchers import Recovery, SegmentHost

UNFINISHED = ("new", "running", "error")
"""What Masakari calls a segment under recovery by: what went wrong is tried again, ``failed`` is final."""

log = logging.getLogger(__name__)


class InstanceHa:
    """Reads segments, hosts and notifications, and sets one flag of a host.

    :param masakari: calls need the rights of its administrator.
    """

    def __init__(self, masakari: ServiceApi) -> None:
        self._masakari = masakari

    def exists(self) -> bool:
        """Tell whether the cloud has Masakari."""
        return self._masakari.exists()

    def fetch_recoveries(self) -> tuple[Recovery, ...]:
        """Read the recoveries that are not over.

        Three calls; where there is one, those of ``fetch_hosts`` as well.
        """
        with _as_masakari():
            found = [
                record
                for status in UNFINISHED
                for record in self._masakari.get("/notifications", {"status": status})["notifications"]
            ]
            hosts = self.fetch_hosts() if found else ()
            return tuple(_read_recovery(record, hosts) for record in found)

    def fetch_hosts(self) -> tuple[SegmentHost, ...]:
        """Read the hosts of all segments, sorted by name. One call, and one for each segment."""
        with _as_masakari():
            segments = self._masakari.get("/segments")["segments"]
            found = (host for segment in segments for host in self._hosts_of(segment["uuid"]))
            return tuple(sorted(found, key=lambda host: host.name))

    def find_host(self, name: str) -> SegmentHost | None:
        """Find a node among the hosts of all segments, by its nova-compute service host; None: it is in none.

        One call, and one for each segment: the API takes a name as a filter, and does not filter by it.
        """
        return next((host for host in self.fetch_hosts() if host.name == name), None)

    def fetch_host(self, segment_id: str, host_id: str) -> SegmentHost:
        """Read one host. One call.

        :raises NotFoundError: it is in that segment no more.
        """
        with _as_masakari():
            return _read_host(self._masakari.get(f"/segments/{segment_id}/hosts/{host_id}")["host"])

    def ensure_maintenance(self, segment_id: str, host_id: str, *, on: bool) -> SegmentHost:
        """Put a host on maintenance, or take it off; a second run writes nothing. One call to three.

        :return: the host as read back.
        :raises NotFoundError: it is in that segment no more.
        :raises TransientError: Masakari changes no host of the segment while it recovers one, or did not.
        """
        found = self.fetch_host(segment_id, host_id)
        if found.on_maintenance == on:
            return found
        try:
            self._masakari.put(f"/segments/{segment_id}/hosts/{host_id}", {"host": {"on_maintenance": on}})
        except ConflictError as exc:
            raise TransientError(
                f"Masakari changes nothing of {found.name} now: {exc.message}",
                remedy="let its recovery end, see `openstack notification list`",
                request_id=exc.request_id,
            ) from exc
        back = self.fetch_host(segment_id, host_id)
        if back.on_maintenance != on:
            raise TransientError(f"{back.name} is to have on_maintenance {on} in Masakari, and has not")
        log.info("Masakari: on_maintenance of %s is %s", back.name, on)
        return back

    def _hosts_of(self, segment_id: str) -> Iterator[SegmentHost]:
        try:
            records = self._masakari.get(f"/segments/{segment_id}/hosts")["hosts"]
        except NotFoundError:
            return  # the segment was deleted meanwhile
        yield from map(_read_host, records)


@contextmanager
def _as_masakari() -> Iterator[None]:
    """Take an answer that is none of Masakari's for none: it says of no recovery that it is over."""
    try:
        yield
    except (KeyError, TypeError, AttributeError) as exc:
        raise TransientError(
            "what answers as Masakari does not answer as it does",
            remedy="see the address of instance-ha in the catalogue, and what stands before its API",
        ) from exc


def _read_host(record: Record) -> SegmentHost:
    return SegmentHost(
        id=record["uuid"],
        name=record["name"],
        segment_id=record["failover_segment_id"],
        on_maintenance=bool(record["on_maintenance"]),
    )


def _read_recovery(record: Record, hosts: tuple[SegmentHost, ...]) -> Recovery:
    """Read a notification; older releases do not name its segment, so that of its host is taken."""
    source = next((host for host in hosts if host.id == record["source_host_uuid"]), None)
    segment = record.get("failover_segment_uuid") or (source.segment_id if source is not None else None)
    there = frozenset(host.name for host in hosts if host.segment_id == segment)
    return Recovery(
        id=record["notification_uuid"],
        status=record["status"],
        type=record["type"],
        source=source.name if source is not None else None,
        hosts=there or None,
    )
