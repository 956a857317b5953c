"""The control plane of Nova, as its API tells of it."""

from __future__ import annotations

import logging
from collections import defaultdict

from escalator.cloud_manager.api import ServiceApi
from escalator.model.control_plane import ControlPlane
from escalator.model.errors import InvalidRequestError, NotFoundError

_COUNTED = "2.52"
"""Up to this microversion a service is shown by the number of its record, later by its UUID."""

log = logging.getLogger(__name__)


def fetch_control_plane(compute: ServiceApi) -> ControlPlane | None:
    """Read the microversions that Nova offers, and which hosts are surely in different cells. Two calls.

    Every cell has a database of its own and counts its services from one: two of the same number are of two
    cells. Nova's API tells nothing else of cells.

    :return: None when Nova does not say.
    """
    try:
        offered = compute.fetch_range()
        query = {"binary": "nova-compute"}
        services = compute.get("/os-services", query, microversion=_COUNTED)["services"]
    except (InvalidRequestError, NotFoundError) as exc:
        log.warning("the control plane is not looked at: %s", exc)
        return None
    if offered is None:
        return None
    hosts: dict[str, set[str]] = defaultdict(set)
    for service in services:
        hosts[str(service["id"])].add(service["host"])
    apart = sorted(tuple(sorted(found)) for found in hosts.values() if len(found) > 1)
    return ControlPlane(lowest=offered[0], highest=offered[1], apart=tuple(apart))
