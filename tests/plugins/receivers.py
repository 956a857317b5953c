"""Small servers of the tests' own: what is posted, mailed or sent as a metric arrives here."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_string, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LONGEST_DATAGRAM = 65536


@dataclass
class Posted:
    """What a webhook took: path, headers in small letters, and the JSON of each POST."""

    port: int = 0
    status: int = 204
    taken: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)


@contextmanager
def receive_posts() -> Iterator[Posted]:
    """Take what is posted, and answer with ``status``."""
    posted = Posted()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {key.lower(): value for key, value in self.headers.items()}
            posted.taken.append((self.path, headers, json.loads(body)))
            self.send_response(posted.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        posted.port = server.server_port
        with _serving(server):
            yield posted


@dataclass
class Mailed:
    """What a mail server took."""

    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)


@dataclass
class Served:
    """A service that is asked whether it is there: it answers with ``status``."""

    port: int = 0
    status: int = 200
    asked: int = 0


@contextmanager
def serve() -> Iterator[Served]:
    """Serve something that is probed over HTTP."""
    served = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked += 1
            self.send_response(served.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.port = server.server_port
        with _serving(server):
            yield served


@contextmanager
def receive_mails() -> Iterator[Mailed]:
    """Speak as much SMTP as it takes to get a mail."""
    mailed = Mailed()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 test\r\n")
            while line := self.rfile.readline().decode().upper():
                if line.startswith("DATA"):
                    self.wfile.write(b"354 go on\r\n")
                    text = "".join(iter(lambda: self.rfile.readline().decode(), ".\r\n"))
                    mailed.taken.append(message_from_string(text, _class=EmailMessage, policy=policy.default))
                elif line.startswith("QUIT"):
                    self.wfile.write(b"221 bye\r\n")
                    return
                self.wfile.write(b"250 ok\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        mailed.port = server.server_address[1]
        with _serving(server):
            yield mailed


@dataclass
class Measured:
    """The lines that came as datagrams, in their order."""

    port: int
    lines: list[str] = field(default_factory=list)


@contextmanager
def receive_metrics() -> Iterator[Measured]:
    """Listen as StatsD does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(0.2)
        measured, over = Measured(port=listener.getsockname()[1]), threading.Event()

        def listen() -> None:
            while not over.is_set():
                try:
                    measured.lines += listener.recv(LONGEST_DATAGRAM).decode().splitlines()
                except TimeoutError:
                    continue

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield measured
        finally:
            over.set()
            thread.join()


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
