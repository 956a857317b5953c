"""A small OpenStack for the HTTP edge: it answers what a test tells it and keeps what it was asked."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest
from openstack.connection import Connection
from tests.cloud_manager.whole_cloud import (
    CANDIDATES,
    HOSTS,
    MIGRATIONS,
    Read,
    inventories,
    service,
    summaries,
)

from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.cloud import Cloud
from escalator.cloud_manager.connection import connect
from escalator.cloud_manager.credentials import CloudCredentials
from escalator.lab.lab import Lab

T = TypeVar("T")

SERVICES = {"compute": "/v2.1", "placement": "", "image": "", "network": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, as it came in."""

    method: str
    path: str
    query: dict[str, list[str]]
    microversion: str | None
    user_agent: str
    body: Any
    if_match: str | None = None


@dataclass(slots=True, kw_only=True)
class FakeOpenStack:
    """Keystone, and whatever else is told to it: answers are taken in turn, the last one stays."""

    url: str = ""
    services: dict[str, str] = field(default_factory=lambda: dict(SERVICES))
    answers: dict[tuple[str, str], list[tuple[Any, ...]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    regions: tuple[str, ...] = ("R",)
    roles: list[str] = field(default_factory=lambda: ["admin"])
    """Those of the user."""
    first: Callable[[Asked], tuple[Any, ...] | None] = lambda _: None
    """Asked before all else; None leaves the answer to what was told."""

    def tell(self, method: str, path: str, *answers: Any) -> None:
        """Tell what to answer: a JSON document, or a status, a document and, where wanted, headers.

        The status 0 drops the connection instead.
        """
        self.answers[method, path] = [a if isinstance(a, tuple) else (200, a) for a in answers]

    def requests_of(self, method: str, path: str) -> list[Asked]:
        """Return what was asked of one path."""
        return [asked for asked in self.asked if (asked.method, asked.path) == (method, path)]

    def answer(self, asked: Asked) -> tuple[Any, ...]:
        """Answer one request."""
        self.asked.append(asked)
        chosen = self.first(asked)
        if chosen is not None:
            return chosen
        if asked.path == "/identity/v3/auth/tokens":
            return 201, self._token()
        told = self.answers.get((asked.method, asked.path))
        if told is None:
            return 404, {"itemNotFound": {"code": 404, "message": f"{asked.path} is not here"}}
        return told.pop(0) if len(told) > 1 else told[0]

    def _token(self) -> Any:
        catalog = [
            {
                "type": kind,
                "name": kind,
                "id": kind,
                "endpoints": [
                    {
                        "interface": "public",
                        "region": region,
                        "region_id": region,
                        "id": kind,
                        "url": self.url + f"/{kind}{path}",
                    }
                    for region in self.regions
                ],
            }
            for kind, path in self.services.items()
        ]
        return {
            "token": {
                "methods": ["password"],
                "user": {"id": "u", "name": "admin", "domain": {"id": "default", "name": "Default"}},
                "project": {"id": "p", "name": "admin", "domain": {"id": "default", "name": "Default"}},
                "expires_at": "2099-01-01T00:00:00.000000Z",
                "issued_at": "2026-01-01T00:00:00.000000Z",
                "audit_ids": ["a"],
                "roles": [{"id": name, "name": name} for name in self.roles],
                "catalog": catalog,
            }
        }


def handler_of(fake: FakeOpenStack) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def answer(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            status, document, *headers = fake.answer(
                Asked(
                    method=self.command,
                    path=parts.path,
                    query=parse_qs(parts.query),
                    microversion=self.headers.get("OpenStack-API-Version"),
                    user_agent=self.headers.get("User-Agent", ""),
                    body=json.loads(raw) if raw else None,
                    if_match=self.headers.get("If-Match"),
                )
            )
            if status == 0:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            content = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Subject-Token", "token")
            self.send_header("x-openstack-request-id", "req-7")
            for name, value in (headers[0] if headers else {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@pytest.fixture
def fake() -> Iterator[FakeOpenStack]:
    told = FakeOpenStack()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(told))
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield told
    server.shutdown()
    server.server_close()


@pytest.fixture
def counter() -> CallCounter:
    return CallCounter()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def connection(fake: FakeOpenStack, counter: CallCounter) -> Connection:
    """A connection to the fake."""
    credentials = CloudCredentials.from_connection_fields(
        host=f"{fake.url}/identity/v3",
        login="admin",
        password="secret",
        extra={"OS_REGION_NAME": "R", "OS_PROJECT_ID": "p", "OS_PROJECT_DOMAIN_ID": "default"},
    )
    return connect(credentials, counter)


@pytest.fixture
def cloud(connection: Connection, counter: CallCounter, slept: list[float]) -> Cloud:
    """A Cloud that talks to the fake; retries do not wait, but say in ``slept`` how long they would."""
    return Cloud(connection, counter, sleep=slept.append)


@pytest.fixture
def whole(fake: Any) -> Any:
    """A cloud of four nodes without servers."""
    fake.tell("GET", "/compute/v2.1/os-services", {"services": [service(host) for host in HOSTS]})
    aggregates = [{"name": "fast", "hosts": ["node-02"]}, {"name": "az1", "hosts": list(HOSTS)}]
    fake.tell("GET", "/compute/v2.1/os-aggregates", {"aggregates": aggregates})
    hypervisors = [
        {
            "id": f"rp-{host}",
            "hypervisor_hostname": f"{host}.example",
            "state": "up",
            "status": "enabled",
            "hypervisor_version": 8002000,
            "host_ip": "10.0.0.1",
            "service": {"id": "x", "host": host, "disabled_reason": None},
        }
        for host in HOSTS
    ]
    fake.tell("GET", "/compute/v2.1/os-hypervisors/detail", {"hypervisors": hypervisors})
    fake.tell("GET", "/compute/v2.1/servers/detail", {"servers": []})
    fake.tell("GET", "/compute/v2.1/os-server-groups", {"server_groups": []})
    fake.tell("GET", MIGRATIONS, {"migrations": []})
    fake.tell("GET", CANDIDATES, summaries(HOSTS))
    fake.tell("GET", "/placement/resource_providers", {"resource_providers": []})
    for host in HOSTS:
        fake.tell("GET", f"/placement/resource_providers/rp-{host}/inventories", inventories())
    return fake


@pytest.fixture
def read(whole: Any, cloud: Cloud) -> Read:
    assert whole.url
    return lambda **words: cloud.fetch_snapshot(
        "c", domain_of=lambda *of: "/".join((*of[:2], *of[2])), **words
    )


@pytest.fixture(scope="session")
def real_cloud(lab: Lab) -> Cloud:
    """The lab's cloud, as its administrator."""
    counter = CallCounter()
    credentials = CloudCredentials.from_clouds_yaml("lab", path=lab.settings.run / "clouds.yaml")
    return Cloud(connect(credentials, counter), counter)


@pytest.fixture
def empty_lab(lab: Lab) -> Lab:
    """The lab with every node enabled and without servers; what a test leaves there, the next one clears."""
    lab.reset()
    lab.servers.wait_gone(lab.servers.order_deletion())
    return lab


def until(reached: Callable[[], T | None], *, seconds: float = 60.0) -> T:
    """Ask again and again until the answer is not empty; return it."""
    deadline = time.monotonic() + seconds
    while not (answer := reached()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.5)
    return answer


@pytest.fixture
def eventually() -> Callable[..., Any]:
    return until
