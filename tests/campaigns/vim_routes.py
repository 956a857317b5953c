"""Every route of the VIM interface over HTTP, as whoever should not get in calls it; what comes back.

The routes are those of the API's own document: a new one is tried without being named here. It is used
against the app alone, and against a real API server with tokens of a real Keystone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from escalator.lab.vnf.json_server import call
from escalator.lab.vnf.vnfm_cloud import fetch_token

Send = Callable[[str, str, Mapping[str, str], bytes | None], int]
"""Sends method, URL, headers and body; returns the status."""
TOKEN = "X-Auth-Token"
JSON = {"Content-Type": "application/json"}
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
MOST_BYTES = 64 * 1024
SERVER_ERROR, UNAVAILABLE = 500, 503

NASTY_IDS = (
    "x" * 65,
    "x" * 5000,
    "%C3%A4",
    "%F0%9F%98%80",
    "%ff",
    "%00",
    "a%00b",
    "%0a",
    "a%2Fb",
    "%2F",
    "%2e%2e",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%5C",
    "%25",
    "%25%32%46",
    "%7B%7D",
    "'%20or%201=1--",
    "-",
    "%E2%80%AE",
)
"""Ids that are none, as they stand in an address."""
NASTY_TOKENS = (b"", b"a b", b"x" * 9000, b"\xff\xfe", "ä".encode(), b"null", b"'")
NASTY_BODIES = (
    b"",
    b"null",
    b"[]",
    b'"text"',
    b"{",
    b"\xff\xfe",
    b"[" * 50_000,
    b'{"project_id": 1, "state": "ACK_' + b"x" * 40_000 + b'"}',
    b'{"project_id": 1, "state": "\\ud800", "metadata": {"a": NaN}}',
    b'{"project_id": "\\u0000", "\\u0000": "\\u0000", "state": "\\u0000"}',
)
TOO_LARGE = b'{"state": "' + b"x" * MOST_BYTES + b'"}'


@dataclass(frozen=True, kw_only=True)
class Place:
    """What the addresses name: something that is there, of one project.

    :ivar url: of the API of all clouds, without a slash at its end: ``http://host:port/vim``.
    """

    url: str
    cloud: str
    session_id: str
    project_id: str
    instance_id: str
    group_id: str

    def fill(self, route: Route, **instead: str) -> str:
        """Return the address of a route.

        :param instead: parameter -> what stands in its place, as it is.
        """
        known = {
            "cloud": self.cloud,
            "sid": self.session_id,
            "project": self.project_id,
            "instance": self.instance_id,
            "id": self.group_id if "/instance_group/" in route.path else self.instance_id,
        }
        filled = {name: quote(value, safe="") for name, value in known.items()} | instead
        return self.url + re.sub(r"\{(\w+)\}", lambda found: filled[found[1]], route.path)

    def make_body(self, route: Route) -> bytes | None:
        """Return a body that a route can read; of a session, one that lies in the past: it begins nothing."""
        if route.method not in WITH_BODY:
            return None
        body: dict[str, Any] = {"state": "ACK_MAINTENANCE"}
        if "{id}" in route.path:
            body = {"project_id": self.project_id}
        elif "{sid}" not in route.path:
            body = {"hosts": [], "state": "MAINTENANCE", "maintenance_at": "2001-01-01 00:00:00"}
        return json.dumps(body).encode()


@dataclass(frozen=True, order=True)
class Route:
    """A method and an address with its parameters in braces."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def names(self) -> tuple[str, ...]:
        """Return its parameters."""
        return tuple(re.findall(r"\{(\w+)\}", self.path))

    @property
    def is_of_admins(self) -> bool:
        """Tell whether it is about no project: then it is the administrators'."""
        return not {"project", "id"} & set(self.names)


@contextmanager
def sending() -> Iterator[Send]:
    """Send requests to a real server, past any proxy, following nothing."""
    with httpx.Client(trust_env=False, timeout=60.0) as client:

        def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> int:
            return client.request(method, url, headers=headers, content=body).status_code

        yield send


def read_routes(document: Mapping[str, Any]) -> tuple[Route, ...]:
    """Return the routes of an OpenAPI document."""
    found = (Route(method.upper(), path) for path, methods in document["paths"].items() for method in methods)
    return tuple(sorted(found))


def fetch_routes(url: str) -> tuple[Route, ...]:
    """Return the routes that a running API tells of."""
    answer = httpx.get(f"{url}/openapi.json", trust_env=False, timeout=60.0)
    answer.raise_for_status()
    return read_routes(answer.json())


def call_routes(place: Place, routes: tuple[Route, ...], token: str | None, send: Send) -> dict[Route, int]:
    """Call routes with one token, or none; return the status of each."""
    headers = JSON | ({} if token is None else {TOKEN: token})
    return {route: send(route.method, place.fill(route), headers, place.make_body(route)) for route in routes}


def find_server_errors(place: Place, routes: tuple[Route, ...], token: str, send: Send) -> list[str]:
    """Call routes with ids, tokens and bodies that are none; return what was met with a server's error.

    :param token: of somebody who may do everything. Nothing is written: no call could be carried out.
    """
    found = []
    for what, method, url, headers, body in _list_nasty(place, routes, token):
        status = send(method, url, headers, body)
        if status >= SERVER_ERROR:
            found.append(f"{what}: {status}")
    return found


Call = tuple[str, str, str, dict[str, Any], bytes | None]


def _list_nasty(place: Place, routes: tuple[Route, ...], token: str) -> Iterator[Call]:
    headers: dict[str, Any] = JSON | {TOKEN: token}
    for route in routes:
        for name in route.names:
            for nasty in NASTY_IDS:
                url = place.fill(route, **{name: nasty})
                yield f"{route} {name}={nasty[:40]}", route.method, url, headers, place.make_body(route)
        for raw in NASTY_TOKENS:
            yield f"{route} token {raw[:20]!r}", route.method, place.fill(route), JSON | {TOKEN: raw}, None
        if route.method not in WITH_BODY:
            continue
        url = place.fill(route, **dict.fromkeys(set(route.names) & {"sid", "id"}, "nothing"))
        for body in (*NASTY_BODIES, TOO_LARGE):
            yield f"{route} body {body[:20]!r}", route.method, url, headers, body
            yield f"{route} body {body[:20]!r} of no kind", route.method, url, {TOKEN: token}, body


def take_token(auth_url: str, *, user: str, project: str, password: str) -> str:
    """Take a new token of Keystone's, for a user and a project of the default domain."""
    domain = {"id": "default"}
    who = {"user": {"name": user, "domain": domain, "password": password}}
    auth = {
        "identity": {"methods": ["password"], "password": who},
        "scope": {"project": {"name": project, "domain": domain}},
    }
    return fetch_token(auth_url, auth)[0]


def revoke_token(auth_url: str, token: str) -> None:
    """Let a token count no more; who has asked about it within the last minute may still believe in it."""
    headers = {TOKEN: token, "X-Subject-Token": token}
    answer = call("DELETE", f"{auth_url}/auth/tokens", headers=headers, timeout_seconds=30.0)
    if answer.status not in {200, 204}:
        raise OSError(f"Keystone does not revoke a token: {answer.status} {answer.body}")
