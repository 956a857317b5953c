"""Makes the connection to a cloud: one session, counted requests, limits on waiting."""

from __future__ import annotations

import logging
from typing import Any

import requests
from keystoneauth1 import session as ksa_session
from openstack.connection import Connection

from escalator.cloud_manager.call_counter import CallCounter, make_label
from escalator.cloud_manager.client_config import find_region
from escalator.cloud_manager.credentials import CloudCredentials
from escalator.cloud_manager.tokens import TokenCache
from escalator.cloud_manager.translation import translate_error

API_TIMEOUT_SECONDS = 60.0
"""How long one request may take. The slowest is Placement's answer about all providers of a large cloud."""
POOL_CONNECTIONS = 16
_ADAPTERS = ("http://", "https://")

log = logging.getLogger(__name__)


class CountingAdapter(ksa_session.TCPKeepAliveAdapter):
    """The transport under the session: every request that is sent passes here, and is counted."""

    def __init__(self, counter: CallCounter) -> None:
        super().__init__(pool_connections=POOL_CONNECTIONS, pool_maxsize=POOL_CONNECTIONS)
        self._counter = counter

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401
        """Count the request, then send it."""
        self._counter.count(make_label(request.method or "?", request.url or ""))
        return super().send(request, *args, **kwargs)


def connect(
    credentials: CloudCredentials,
    counter: CallCounter,
    *,
    timeout_seconds: float = API_TIMEOUT_SECONDS,
    tokens: TokenCache | None = None,
) -> Connection:
    """Prepare a connection; nothing is sent before the first call.

    :param counter: counts every request of this connection.
    :param timeout_seconds: how long one request may take.
    :param tokens: where tokens are kept from process to process; None: each fetches its own.
    :raises InvalidRequestError: the cloud is not in ``clouds.yaml``, or what is said of it cannot be used.
    """
    with translate_error(f"configuration of cloud {credentials.label}"):
        region = find_region(credentials, {**_options(credentials), "api_timeout": timeout_seconds})
        connection = Connection(config=region)
        transport = requests.Session()
        for prefix in _ADAPTERS:
            transport.mount(prefix, CountingAdapter(counter))
        connection.session.session = transport
        if tokens is not None:
            tokens.attach(connection.session.auth)
    return connection


def _options(credentials: CloudCredentials) -> dict[str, Any]:
    options: dict[str, Any] = {
        "region_name": credentials.region_name,
        "interface": credentials.interface,
        "cacert": credentials.cacert,
    }
    options = {name: value for name, value in options.items() if value is not None}
    if not credentials.verify:
        options["verify"] = False
    if credentials.cloud is None:
        options |= {"auth_type": credentials.auth_type, "auth": dict(credentials.auth)}
    return options
