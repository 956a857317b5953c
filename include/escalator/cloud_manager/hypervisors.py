"""Hypervisors: the node's second name, and its provider id in Placement."""

from __future__ import annotations

from escalator.cloud_manager.api import ServiceApi
from escalator.cloud_manager.records import hypervisor_of
from escalator.model.cloud import Hypervisor
from escalator.model.errors import NotFoundError

_PATH = "/os-hypervisors/detail"
_MICROVERSION = "2.87"
"""From 2.88 on Nova asks every compute for its uptime, over RPC, before it answers."""


class Hypervisors:
    """Reads ``GET /os-hypervisors/detail``."""

    def __init__(self, compute: ServiceApi) -> None:
        self._compute = compute

    def fetch_all(self) -> tuple[Hypervisor, ...]:
        """Read every hypervisor, sorted by host: one call for each thousand."""
        return self._fetch({})

    def fetch(self, host: str) -> Hypervisor:
        """Read the hypervisor of one nova-compute host.

        One call where its name contains the host's, as is usual; else all are read.

        :raises NotFoundError: that nova-compute has none (it has not reported any, or the cell does not know
            the host yet).
        """
        for query in ({"hypervisor_hostname_pattern": host}, {}):
            try:
                found = [hypervisor for hypervisor in self._fetch(query) if hypervisor.host == host]
            except NotFoundError:
                continue  # no name matches the pattern
            if found:
                return found[0]
        raise NotFoundError(f"nova-compute on host {host} has no hypervisor", remedy="see its log")

    def _fetch(self, query: dict[str, str]) -> tuple[Hypervisor, ...]:
        records = self._compute.pages(_PATH, "hypervisors", query, microversion=_MICROVERSION)
        return tuple(sorted(map(hypervisor_of, records), key=lambda hypervisor: hypervisor.host))
