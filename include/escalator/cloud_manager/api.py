"""Calls one OpenStack service: raw requests, pinned microversion, pages, retries of reads only.

The service catalogue gives the endpoint and no version discovery is made: one call is one request.
"""

from __future__ import annotations

import itertools
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import requests
from keystoneauth1 import exceptions as ksa
from openstack.connection import Connection

from escalator.cloud_manager.regions import OneRegionAdapter
from escalator.cloud_manager.translation import translate_error
from escalator.model.errors import InvalidRequestError, TransientError

READ_AGAIN_AFTER = (0.5, 1.0, 2.0)
"""The pauses before a read is sent again (s)."""
LONGEST_PAUSE_SECONDS = 10.0
"""A service that asks for a longer one is asked again by the caller, if at all."""
_VERSION_ROOT = re.compile(r".*?/v\d+(\.\d+)?(?=/|$)")
_VERSIONED = re.compile(r"/v\d+(\.\d+)?(/|$)")

log = logging.getLogger(__name__)

Record = Mapping[str, Any]
"""One JSON object of an answer."""
Query = Mapping[str, str | int | Sequence[str]]


class Requester(Protocol):
    """What is needed of a keystoneauth adapter."""

    def request(self, url: str, method: str, **kwargs: Any) -> requests.Response:  # noqa: ANN401
        """Send one request."""

    def get_endpoint(self) -> str | None:
        """Return the service's address."""

    def get_project_id(self) -> str | None:
        """Return the id of the project of the token."""


class ServiceApi:
    """One service of one cloud.

    :param requester: a keystoneauth adapter of that service.
    :param service: its type, for messages: compute, placement, network, image, load-balancer.
    :param microversions: those that the calls are written for, the preferred one first; the next one is
        taken when the service refuses the one before. Empty for services that have none.
    :param root: the path of the API when the catalogue's address does not end in a version: ``/v2.0``.
    :param sleep: waits that many seconds.
    :ivar answered_at: what the service's clock said with its last answer (aware); None: it did not say.
    """

    def __init__(
        self,
        requester: Requester,
        service: str,
        *,
        microversions: Sequence[str] = (),
        root: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sleep = sleep
        self._requester = requester
        self._service = service
        self._microversions = tuple(microversions)
        self._microversion = self._microversions[0] if self._microversions else None
        self._root = root
        self.answered_at: datetime | None = None

    def exists(self) -> bool:
        """Tell whether the catalogue lists the service; costs a token, if there is none yet."""
        with translate_error(f"catalogue entry of {self._service}"):
            try:
                return self._requester.get_endpoint() is not None
            except ksa.EndpointNotFound:
                return False

    def find_project(self) -> str | None:
        """Return the id of the project of the connection; costs a token, if there is none yet."""
        with translate_error("project of the connection"):
            return self._requester.get_project_id()

    def get(
        self, path: str, query: Query | None = None, *, microversion: str | None = None
    ) -> dict[str, Any]:
        """Read; sent again, a few times, after whatever may pass: 429, 5xx, a lost connection.

        keystoneauth would wait as long as ``Retry-After`` says, be it an hour.
        """
        pauses = iter(READ_AGAIN_AFTER)
        while True:
            try:
                response = self._send("GET", path, microversion=microversion, params=dict(query or {}))
                self.answered_at = _read_date(response)
                return self._body(response, path)
            except TransientError as exc:
                pause = next(pauses, None)
                wanted = max(pause or 0.0, exc.retry_after_seconds or 0.0)
                if pause is None or wanted > LONGEST_PAUSE_SECONDS:
                    raise
                log.info("asking again in %.1f s: %s", wanted, exc)
                self._sleep(wanted)

    def pages(
        self, path: str, key: str, query: Query | None = None, *, microversion: str | None = None
    ) -> Iterator[Record]:
        """Read a list to its end, page by page, as its ``<key>_links`` lead.

        :param key: name of the list in the answer.
        """
        asked = dict(query or {})
        while True:
            body = self.get(path, asked, microversion=microversion)
            yield from body[key]
            marker = find_next_marker(body.get(f"{key}_links", ()))
            if marker is None:
                return
            asked["marker"] = marker

    def post(self, path: str, body: Record, *, microversion: str | None = None) -> dict[str, Any]:
        """Create or act; never sent again: a lost answer is a TransientError with an unknown outcome."""
        return self._body(self._send("POST", path, microversion=microversion, json=body), path)

    def put(self, path: str, body: Record, *, revision: int | None = None) -> dict[str, Any]:
        """Replace; never sent again.

        :param revision: Neutron's ``revision_number`` that the thing must still have.
        :raises ConflictError: it has another one.
        """
        headers = {} if revision is None else {"If-Match": f"revision_number={revision}"}
        return self._body(self._send("PUT", path, json=body, headers=headers), path)

    def delete(self, path: str) -> None:
        """Delete; never sent again."""
        self._send("DELETE", path)

    def _send(
        self,
        method: str,
        path: str,
        *,
        microversion: str | None = None,
        **kwargs: Any,  # noqa: ANN401 - options of keystoneauth
    ) -> requests.Response:
        wanted = microversion or self._microversion
        with translate_error(f"{method} {self._service} {path}"):
            url = self._url(path)
            try:
                return self._requester.request(url, method, microversion=wanted, **kwargs)
            except ksa.NotAcceptable as exc:
                older = self._older_than(wanted) if microversion is None else None
                if older is None:
                    raise self._outside(wanted, exc) from exc
        self._microversion = older
        log.info("%s does not know %s, using %s", self._service, wanted, older)
        return self._send(method, path, **kwargs)

    def _older_than(self, microversion: str | None) -> str | None:
        following = dict(itertools.pairwise(self._microversions))
        return following.get(microversion or "")

    def _outside(self, wanted: str | None, refusal: ksa.NotAcceptable) -> Exception:
        """Say what the service offers and what the refused call is written for. One call."""
        try:
            offered = " to ".join(self._read_range())
        except (ksa.ClientException, requests.exceptions.JSONDecodeError, LookupError):
            return refusal
        needed = " or ".join(self._microversions if wanted in self._microversions else [wanted or "none"])
        return InvalidRequestError(
            f"{self._service} offers microversions {offered}, the call is written for {needed}",
            remedy="the cloud is older than Escalator supports, or much newer",
        )

    def fetch_range(self) -> tuple[str, str] | None:
        """Read the lowest and the highest microversion that the service offers, if it says. One call."""
        with translate_error(f"versions of {self._service}"):
            try:
                return self._read_range()
            except (requests.exceptions.JSONDecodeError, LookupError, TypeError, AttributeError):
                return None

    def _read_range(self) -> tuple[str, str]:
        root = _VERSION_ROOT.match(self._requester.get_endpoint() or "")
        document = self._requester.request(f"{root[0] if root else ''}/", "GET").json()
        version = document.get("version") or document["versions"][-1]
        return str(version["min_version"]), str(version.get("max_version") or version["version"])

    def _url(self, path: str) -> str:
        if not self._root:
            return path
        endpoint = self._requester.get_endpoint() or ""
        return path if _VERSIONED.search(urlsplit(endpoint).path) else self._root + path

    def _body(self, response: requests.Response, path: str) -> dict[str, Any]:
        if not response.content:
            return {}
        try:
            body: dict[str, Any] = response.json()
        except requests.exceptions.JSONDecodeError as exc:
            message = f"{self._service} {path}: the answer is not JSON: {response.text[:80]!r}"
            raise TransientError(message, remedy="see what stands before the API") from exc
        return body


def _read_date(response: requests.Response) -> datetime | None:
    """Return the time of an answer by who answered, in UTC; None: it has none that can be read."""
    try:
        date = parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return None
    return date if date.tzinfo is not None else None


def find_next_marker(links: Sequence[Record]) -> str | None:
    """Return the marker of the next page; only the marker is taken, a proxy may have changed the rest."""
    following = next((link["href"] for link in links if link.get("rel") == "next"), None)
    if following is None:
        return None
    markers = parse_qs(urlsplit(str(following)).query)["marker"]
    return markers[0]


COMPUTE_MICROVERSIONS = ("2.98", "2.96", "2.90")
"""2.98 (2025.1) shows what the image of a server asks for, 2.96 (2024.1) the zone that a server is pinned to;
everything else is there at 2.90 (Xena)."""
PLACEMENT_MICROVERSIONS = ("1.29",)
"""1.29: summaries of providers hold all resource classes, traits and the tree."""

MICROVERSIONS: Mapping[str, Sequence[str]] = {
    "compute": COMPUTE_MICROVERSIONS,
    "placement": PLACEMENT_MICROVERSIONS,
}
_ROOTS = {
    "compute": "",
    "placement": "",
    "load-balancer": "/v2",
    "network": "/v2.0",
    "image": "/v2",
    "instance-ha": "/v1",
    "shared-file-system": "",
    "sharev2": "",
    "orchestration": "",
    "clustering": "",
    "block-storage": "/v3",
}
"""The services that may be asked, with the path of an API whose address in the catalogue has none."""


def find_api(
    connection: Connection, service: str, *, sleep: Callable[[float], None] = time.sleep
) -> ServiceApi:
    """Make the API of one service of a connection.

    :param service: compute, placement, network, image, block-storage, load-balancer, instance-ha; of
        shared-file-system,
        sharev2, orchestration and clustering whether the catalogue has them.
    :param sleep: waits that many seconds before a read is sent again.
    """
    config = connection.config
    adapter = OneRegionAdapter(
        connection.session,
        service_type=service,
        interface=config.get_interface(service),
        region_name=config.get_region_name(service),
        endpoint_override=config.get_endpoint(service),
    )
    if service not in _ROOTS:
        raise ValueError(service)
    known = MICROVERSIONS.get(service, ())
    return ServiceApi(adapter, service, microversions=known, root=_ROOTS[service], sleep=sleep)
