"""A small HTTP server that speaks JSON, and binds and gives up its address at once. Standard library only."""

import contextlib
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

BACKLOG = 64
CONNECTION_SECONDS = 10.0
MAX_BODY_BYTES = 1 << 20
OK, BAD_REQUEST, NOT_FOUND = 200, 400, 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. ``body`` is what its JSON says; None when there is none."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer. ``headers`` have small names."""

    status: int = OK
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handle = Callable[[Request], Answer]


class JsonServer:
    """Answer requests on one address, a thread for each connection, from ``start`` to ``stop``.

    :param handle: makes the answer.
    """

    def __init__(self, address: str, port: int, handle: Handle) -> None:
        self.address, self.port, self.handle = address, port, handle
        self._socket: socket.socket | None = None

    @property
    def is_bound(self) -> bool:
        """Tell whether the address is this server's."""
        return self._socket is not None

    def start(self) -> None:
        """Bind the address and listen.

        :raises OSError: when somebody else has it.
        """
        if self._socket is None:
            self._socket = socket.create_server((self.address, self.port), backlog=BACKLOG)
            self.port = self._socket.getsockname()[1]
            threading.Thread(target=self._accept, args=(self._socket,), daemon=True).start()

    def stop(self) -> None:
        """Give the address up: from here on a connection is refused. A second time does nothing."""
        bound, self._socket = self._socket, None
        if bound is not None:
            with contextlib.suppress(OSError):
                bound.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            bound.close()

    def _accept(self, bound: socket.socket) -> None:
        while True:
            try:
                connection, _ = bound.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(CONNECTION_SECONDS)
        with connection, contextlib.suppress(OSError):
            _Handler(connection, ("", 0), self)  # type: ignore[arg-type]  # it asks nothing of a server


class _Handler(BaseHTTPRequestHandler):
    server: JsonServer  # type: ignore[assignment]

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        try:
            body = json.loads(self.rfile.read(min(length, MAX_BODY_BYTES))) if length else None
        except ValueError:
            self._send(Answer(status=BAD_REQUEST, body={"error": "the body is not JSON"}))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(method=self.command, path=self.path, headers=headers, body=body)
        self._send(self.server.handle(request))

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815  (names of http.server)

    def _send(self, answer: Answer) -> None:
        content = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing: each process keeps a log of its own."""


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def call(
    method: str,
    url: str,
    body: object = None,
    *,
    headers: Mapping[str, str] | None = None,
    timeout_seconds: float = 5.0,
) -> Answer:
    """Send one request and return the answer, whatever its status.

    :raises OSError: when nobody answers.
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310  (addresses of the lab)
        url, method=method, data=data, headers={"Content-Type": "application/json", **(headers or {})}
    )
    try:
        with _OPENER.open(request, timeout=timeout_seconds) as answer:
            return _read(answer.status, answer)
    except urllib.error.HTTPError as error:
        with error:
            return _read(error.code, error)


def _read(status: int, answer: Any) -> Answer:  # noqa: ANN401
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Answer(status=status, body=_parse(answer.read()), headers=headers)


def _parse(content: bytes) -> Any:  # noqa: ANN401
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content.decode(errors="replace")
