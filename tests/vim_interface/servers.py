"""Real HTTP servers on loopback, for what calls managers of VNFs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a server was sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A server and what it was sent."""

    url: str
    requests: list[Request] = field(default_factory=list)


Answering = Callable[[BaseHTTPRequestHandler, Request], None]


def answer(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Answering:
    """Answer every request like this."""

    def act(handler: BaseHTTPRequestHandler, _request: Request) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return act


def write_raw(*parts: bytes) -> Answering:
    """Write these bytes and drop the connection."""

    def act(handler: BaseHTTPRequestHandler, _request: Request) -> None:
        for part in parts:
            handler.wfile.write(part)
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)

    return act


@contextmanager
def serving(act: Answering) -> Iterator[Receiver]:
    """Serve on a port of loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            request = Request(
                method=self.command,
                path=self.path,
                headers=dict(self.headers.items()),
                body=self.rfile.read(length),
            )
            receiver.requests.append(request)
            self.close_connection = True
            act(self, request)

        do_GET = do_POST = do_PUT = _serve  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: Any) -> None:
            """Say nothing of clients that have gone."""

    server = Server(("127.0.0.1", 0), Handler)
    receiver = Receiver(url=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


def find_closed_port() -> int:
    """Return a port of loopback that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
