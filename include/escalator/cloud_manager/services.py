"""The nova-compute services: which there are, and the switch that holds a drain lease."""

from __future__ import annotations

import logging
from collections.abc import Collection

from escalator.cloud_manager.api import Record, ServiceApi
from escalator.cloud_manager.records import read_service
from escalator.model.cloud import ComputeService, ServiceStatus
from escalator.model.errors import InvalidRequestError, LeaseLostError, NotFoundError
from escalator.model.lease import MAX_LENGTH

_BINARY = "nova-compute"

log = logging.getLogger(__name__)


class ComputeServices:
    """Reads and switches nova-compute services, by their UUID."""

    def __init__(self, compute: ServiceApi) -> None:
        self._compute = compute

    def fetch_all(self) -> tuple[ComputeService, ...]:
        """Read every nova-compute service, sorted by host. One call.

        :raises TransientError: a cell is down.
        """
        return self._fetch({"binary": _BINARY})

    def fetch_records(self) -> list[Record]:
        """Read every service of Nova's, of whatever kind, as Nova tells it. One call."""
        return list(self._compute.get("/os-services")["services"])

    def fetch(self, host: str) -> ComputeService:
        """Read the service of one host. One call.

        :raises NotFoundError: there is none.
        :raises TransientError: its cell is down.
        """
        services = self._fetch({"binary": _BINARY, "host": host})
        if not services:
            raise NotFoundError(f"no nova-compute service on host {host}", remedy="see the host's name")
        return services[0]

    def ensure_disabled(self, host: str, reason: str, *, over: Collection[str] = ()) -> ComputeService:
        """Disable the service with that reason; a second run finds it so and writes nothing.

        A reason that somebody else wrote is never overwritten, nor one that somebody added a word to. Nova
        has no compare-and-set: who writes between our look and our write is overwritten. Two or three calls.

        :param over: the exact reasons that may be written over; an enabled service is disabled in any case.
        :return: the service as read back.
        :raises LeaseLostError: it is disabled for another reason, or was changed while we wrote.
        """
        if not reason or len(reason) > MAX_LENGTH:
            raise InvalidRequestError(f"a disabled reason has 1 to {MAX_LENGTH} characters: {reason!r}")
        service = self.fetch(host)
        if service.status is ServiceStatus.DISABLED:
            if service.disabled_reason == reason:
                return service
            if service.disabled_reason not in over:
                raise _lost(service, "is disabled already")
        self._compute.put(f"/os-services/{service.id}", {"status": "disabled", "disabled_reason": reason})
        log.info("%s: nova-compute service disabled: %s", host, reason)
        service = self.fetch(host)
        if (service.status, service.disabled_reason) != (ServiceStatus.DISABLED, reason):
            raise _lost(service, "was changed at the same moment")
        return service

    def ensure_enabled(self, host: str, *, over: Collection[str]) -> ComputeService:
        """Enable the service; a second run finds it enabled and writes nothing. Up to three calls.

        :param over: the exact reasons of which one has to be there for the service to be enabled.
        :return: the service as read back.
        :raises LeaseLostError: it is disabled for another reason, or was changed while we wrote.
        """
        service = self.fetch(host)
        if service.status is ServiceStatus.ENABLED:
            return service
        if service.disabled_reason not in over:
            raise _lost(service, "is disabled by somebody else")
        self._compute.put(f"/os-services/{service.id}", {"status": "enabled"})
        log.info("%s: nova-compute service enabled", host)
        service = self.fetch(host)
        if service.status is not ServiceStatus.ENABLED:
            raise _lost(service, "was changed at the same moment")
        return service

    def _fetch(self, query: dict[str, str]) -> tuple[ComputeService, ...]:
        records = self._compute.get("/os-services", query)["services"]
        return tuple(sorted(map(read_service, records), key=lambda service: service.host))


def _lost(service: ComputeService, what: str) -> LeaseLostError:
    return LeaseLostError(
        f"the nova-compute service of {service.host} {what}: {service.status}, {service.disabled_reason!r}",
        remedy="find out who did it; nothing was written over it",
    )
