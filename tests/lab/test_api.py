from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from escalator.lab.api import Cloud
from escalator.lab.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Handler(BaseHTTPRequestHandler):
    """Keystone that gives tokens, and a service that forgets them after two requests."""

    tokens = 0
    uses = 0

    def do_POST(self) -> None:
        type(self).tokens += 1
        type(self).uses = 0
        self._answer(201, {"token": {}}, {"X-Subject-Token": f"token-{self.tokens}"})

    def do_GET(self) -> None:
        type(self).uses += 1
        fresh = self.headers["X-Auth-Token"] == f"token-{self.tokens}" and self.uses <= 2
        if self.path.endswith("/broken"):
            self._answer(500, {"why": "broken"})
        elif not fresh:
            self._answer(401, {})
        else:
            self._answer(200, {"path": self.path, "asked": self.headers["OpenStack-API-Version"]})

    def do_DELETE(self) -> None:
        self._answer(404 if self.path.endswith("/gone") else 409, {})

    def log_message(self, *_: object) -> None:
        return

    def _answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@dataclass(frozen=True)
class FakeConfig:
    auth_url: str

    def endpoint(self, service: str) -> str:
        return f"{self.auth_url}/{service}"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    Handler.tokens = Handler.uses = 0
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Cloud(config=FakeConfig(f"http://127.0.0.1:{server.server_port}"))  # type: ignore[arg-type]
    server.shutdown()
    server.server_close()


def test_one_token_serves_many_requests_and_is_renewed_when_refused(cloud: Cloud) -> None:
    assert cloud.get("nova", "/servers")["path"] == "/nova/servers"
    assert cloud.get("keystone", "/users")["path"] == "/users"
    assert Handler.tokens == 1
    assert cloud.get("nova", "/again")["path"] == "/nova/again"
    assert Handler.tokens == 2


def test_every_request_names_its_microversion(cloud: Cloud) -> None:
    assert "compute 2.90" in cloud.get("nova", "/servers")["asked"]


def test_an_error_tells_method_address_and_status(cloud: Cloud) -> None:
    with pytest.raises(ApiError, match=r"GET http://.*/nova/broken: 500") as failed:
        cloud.get("nova", "/broken")
    assert failed.value.status == 500


def test_what_is_gone_is_deleted_and_what_is_not_is_told(cloud: Cloud) -> None:
    assert cloud.delete("nova", "/gone") is None
    with pytest.raises(ApiError, match="409"):
        cloud.delete("nova", "/locked")


def test_nobody_there_is_status_zero() -> None:
    cloud = Cloud(config=FakeConfig("http://127.0.0.1:9"))  # type: ignore[arg-type]
    with pytest.raises(ApiError) as failed:
        cloud.get("nova", "/servers")
    assert failed.value.status == 0
