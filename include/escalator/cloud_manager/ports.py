"""What the ports of servers say of their moves: by their kinds of virtual network card."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

from escalator.cloud_manager.api import Query, ServiceApi
from escalator.cloud_manager.server_needs import read_port_features
from escalator.model.cloud import Server
from escalator.model.errors import ForbiddenError, InvalidRequestError, NotFoundError
from escalator.model.feature import Feature

PAGE = 1000
_FIELDS = ("id", "device_id", "binding:vnic_type")
_ORDINARY = "normal"

log = logging.getLogger(__name__)


def fetch_port_features(network: ServiceApi, host: str | None = None) -> dict[str, frozenset[Feature]]:
    """Read the features that ports give to servers, by server id; most servers have none.

    One call for each thousand ports, three fields each.

    :param host: only ports that are bound there.
    :return: none where the cloud has no Neutron or, of one host, the user may not list ports.
    :raises ForbiddenError: the user may not list those of all hosts.
    """
    if not network.exists():
        return {}
    query: Query = {"fields": _FIELDS, "limit": PAGE, **({"binding:host_id": host} if host else {})}
    kinds: dict[str, set[str]] = {}
    try:
        for port in network.pages("/ports", "ports", query):
            kind = port.get("binding:vnic_type") or _ORDINARY
            if kind != _ORDINARY and port.get("device_id"):
                kinds.setdefault(port["device_id"], set()).add(kind)
    except (InvalidRequestError, NotFoundError) as exc:
        if host is None and isinstance(exc, ForbiddenError):
            raise
        log.warning("what ports say of servers is not checked: %s", exc)
        return {}
    found = {server_id: read_port_features(words) for server_id, words in kinds.items()}
    return {server_id: features for server_id, features in found.items() if features}


def add_features(servers: Iterable[Server], found: Mapping[str, frozenset[Feature]]) -> tuple[Server, ...]:
    """Return the servers with what their ports or shares say of them, by server id."""
    if not found:
        return tuple(servers)
    return tuple(
        replace(server, features=server.features | found[server.id]) if server.id in found else server
        for server in servers
    )
