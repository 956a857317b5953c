"""TCP and HTTP: a connection of its own for each probe, so that one which hangs holds up no other."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from escalator.vim_interface.probes.gaps import TIMEOUT
from escalator.vim_interface.probes.outcome import name_cause
from escalator.vim_interface.probes.telling import Tell

_SERVER_ERROR = 500
_LONGEST_LINE = 4096
NO_HTTP = "no HTTP"
"""Cause when something else than HTTP came back."""


class ConnectionAsker:
    """Opens a connection for each probe, in tasks beside one another.

    :param attempt: makes one probe; returns why the answer is not good, or None.
    :param tell: is told of each probe how it ended: number, and the cause when the answer is not good.
    """

    def __init__(
        self, attempt: Callable[[], Awaitable[str | None]], tell: Tell, *, timeout_seconds: float
    ) -> None:
        self._attempt = attempt
        self._tell = tell
        self._timeout = timeout_seconds
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, number: int) -> None:
        """Begin one probe."""
        task = asyncio.get_running_loop().create_task(self._ask(number))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()

    async def _ask(self, number: int) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                cause = await self._attempt()
        except TimeoutError:  # of ours, or ETIMEDOUT of the kernel
            cause = TIMEOUT
        except OSError as exc:
            cause = name_cause(exc)
        self._tell(number, cause)


async def connect_once(address: str, port: int) -> str | None:
    """Connect, and close."""
    _, writer = await asyncio.open_connection(address, port)
    writer.close()
    return None


class HttpAttempt:
    """Asks a URL with GET: good is any answer below 500, as the service has given it.

    Only the first line is read: an HTTP client takes ten times as long, ten times a second for each address.
    A certificate is not judged: whether the service is there is what is asked.

    :param url: http or https.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        secure = parts.scheme == "https"
        self._port = parts.port or (443 if secure else 80)
        self._tls = _accept_any_certificate() if secure else None
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = (
            f"GET {path} HTTP/1.1",
            f"Host: {parts.netloc.rpartition('@')[2]}",
            "Connection: close",
            "",
            "",
        )
        self._request = "\r\n".join(lines).encode()

    async def __call__(self) -> str | None:
        """Ask once."""
        reader, writer = await asyncio.open_connection(
            self._host, self._port, ssl=self._tls, limit=_LONGEST_LINE
        )
        try:
            writer.write(self._request)
            line = await reader.readline()
        except ValueError:  # a line without an end
            return NO_HTTP
        finally:
            writer.close()
        return judge_status_line(line)


def judge_status_line(line: bytes) -> str | None:
    """Say why the first line of an answer is not a good one; None when it is."""
    words = line.split(maxsplit=2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():  # noqa: PLR2004
        return NO_HTTP if line else "closed without an answer"
    status = int(words[1])
    return None if status < _SERVER_ERROR else f"status {status}"


def _accept_any_certificate() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
