"""Entries of Keystone's catalogue: under which address others find a service of ours."""

from __future__ import annotations

import logging
from typing import Any

from openstack.connection import Connection

from escalator.cloud_manager.translation import translate_error

PUBLIC = "public"

log = logging.getLogger(__name__)


def ensure_endpoint(connection: Connection, *, service_type: str, name: str, url: str) -> str:
    """See that a service type has one public endpoint of that address in the connection's region.

    A second run finds it and writes nothing; another address is replaced. Needs the role admin. Three to five
    calls.

    :param name: of the service, when it is made.
    :return: id of the endpoint.
    :raises EscalatorError: Keystone refuses, or cannot be reached.
    """
    region = connection.config.get_region_name("identity")
    with translate_error(f"endpoint of {service_type} in Keystone's catalogue"):
        identity: Any = connection.identity  # version 3; typed as either
        service = next(iter(identity.services(type=service_type)), None)
        if service is None:
            service = identity.create_service(type=service_type, name=name, is_enabled=True)
            log.info("service %s of type %s made", name, service_type)
        known: list[Any] = [
            endpoint
            for endpoint in identity.endpoints(service_id=service.id, interface=PUBLIC)
            if endpoint.region_id == region or region is None
        ]
        if not known:
            made = identity.create_endpoint(
                service_id=service.id, interface=PUBLIC, url=url, region_id=region, is_enabled=True
            )
            return str(made.id)
        endpoint = known[0]
        if endpoint.url != url or not endpoint.is_enabled:
            identity.update_endpoint(endpoint, url=url, is_enabled=True)
            log.info("endpoint of %s: %s, was %s", service_type, url, endpoint.url)
        return str(endpoint.id)
