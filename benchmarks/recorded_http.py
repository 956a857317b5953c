"""Serves a recorded cloud over HTTP: each answer takes as long as that of a Nova of its size would.

So much for each record in it.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.recorded_nova import Record, RecordedCloud

from escalator.model.cloud import Server

BASE_SECONDS = 0.03
"""What any answer takes."""
SECONDS_A_RECORD = {"servers": 0.0015, "services": 0.001, "hypervisors": 0.001, "migrations": 0.0005}
"""What each record of an answer takes: 20,000 servers take 30 s, as was reported of a cloud of that size."""


class RecordedServer:
    """Serves a recorded cloud, with a Keystone, on a port of the loopback interface.

    :ivar url: where Keystone is.
    :ivar slow: each answer takes as long as Nova's would.
    """

    def __init__(self, cloud: RecordedCloud, *, slow: bool = True) -> None:
        self.cloud = cloud
        self.slow = slow
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def control(self, path: str, asked: Record) -> Record | None:
        """Say how many calls there were, or disable nodes with reasons and enable the others.

        :return: None: nothing of the kind was asked for.
        """
        match path:
            case "/benchmark/calls":
                return {
                    "calls": self.cloud.calls.total(),
                    "pages": self.cloud.calls["/compute/v2.1/servers/detail"],
                }
            case "/benchmark/disable":
                self.cloud.disabled = dict(asked)
                return {}
        return None

    def token(self) -> Record:
        """Return the body of a token: with its catalogue."""
        roots = {"compute": "/v2.1", "placement": ""}
        catalog = [
            {
                "type": kind,
                "name": kind,
                "endpoints": [
                    {
                        "interface": "public",
                        "region": "R",
                        "region_id": "R",
                        "id": kind,
                        "url": f"{self.url}/{kind}{root}",
                    }
                ],
            }
            for kind, root in roots.items()
        ]
        domain = {"id": "default", "name": "Default"}
        return {
            "token": {
                "methods": ["password"],
                "user": {"id": "u", "name": "admin", "domain": domain},
                "project": {"id": "p", "name": "admin", "domain": domain},
                "expires_at": "2099-01-01T00:00:00.000000Z",
                "issued_at": "2026-01-01T00:00:00.000000Z",
                "audit_ids": ["a"],
                "roles": [{"id": "r", "name": "admin"}],
                "catalog": catalog,
            }
        }


def _count_seconds(document: Mapping[str, Any]) -> float:
    return BASE_SECONDS + sum(
        len(document.get(key, ())) * seconds for key, seconds in SECONDS_A_RECORD.items()
    )


def _make_handler(server: RecordedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            """Answer, after as long as it takes."""
            begun, parts = time.monotonic(), urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            status, document = server.cloud.answer(parts.path, query)
            content = json.dumps(document).encode()
            if server.slow:
                time.sleep(max(0.0, begun + _count_seconds(document) - time.monotonic()))
            self._send(status, content)

        def do_POST(self) -> None:
            """Give a token, or do what a benchmark asks for."""
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = server.control(self.path, json.loads(body))
            self._send(201, json.dumps(server.token() if answer is None else answer).encode())

        def _send(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Subject-Token", "token")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


# as a process of its own


def serve(cloud: RecordedCloud, changes_a_minute: int, say: Callable[[str], None]) -> None:
    """Serve a cloud in which tenants boot, change and delete servers, until the process is ended.

    :param say: is told where Keystone is.
    """
    server, dice, booted = RecordedServer(cloud), random.Random(1), 0  # noqa: S311 - no secret
    say(server.url)
    hosts, names = list(cloud.nodes), list(cloud.servers)
    while True:
        time.sleep(60 / changes_a_minute)
        match dice.randrange(4):
            case 0:
                booted += 1
                name = f"booted-{booted}"
                cloud.boot(Server(id=name, name=name, host=dice.choice(hosts), vm_state="active"))
            case 1 if names:
                cloud.delete(names.pop(dice.randrange(len(names))))
            case _:
                cloud.change(dice.choice(names))
