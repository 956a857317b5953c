"""One HTTP call to a manager of VNFs: bounded in time and in what is read, no redirect, no proxy."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from functools import lru_cache

import httpx

CONNECT_SECONDS = 10.0
READ_SECONDS = 300.0
"""A manager may work for minutes before it answers the POST."""
LONGEST_ANSWER = 2_000
"""Bytes that are read of an answer."""
_GOOD = range(200, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was answered: the HTTP status, and how the answer begins when the status is not a good one.

    :ivar retry_after: the header, as it came.
    """

    status: int
    text: str = ""
    retry_after: str = ""

    @property
    def is_good(self) -> bool:
        """Tell whether it was taken (2xx)."""
        return self.status in _GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """That no answer came.

    :ivar was_sent: the receiver may have it all the same; False: it surely has not.
    """

    was_sent: bool
    error: str


def call(
    request: httpx.Request, *, connect_seconds: float = CONNECT_SECONDS, seconds: float = READ_SECONDS
) -> Answer | NoAnswer:
    """Send one request and wait for the beginning of its answer; never raises.

    :param seconds: until when the answer must be there, however slowly it comes.
    """
    return asyncio.run(call_async(request, connect_seconds=connect_seconds, seconds=seconds))


async def call_async(
    request: httpx.Request, *, connect_seconds: float = CONNECT_SECONDS, seconds: float = READ_SECONDS
) -> Answer | NoAnswer:
    """Do as :func:`call`, inside an event loop."""
    waits = httpx.Timeout(connect=connect_seconds, read=seconds, write=seconds, pool=connect_seconds)
    request.extensions = {**request.extensions, "timeout": waits.as_dict()}
    try:
        # The transport itself: httpx's client would log addresses, and read .netrc and proxies.
        async with (
            asyncio.timeout(seconds),
            httpx.AsyncHTTPTransport(verify=_trusted(), retries=0) as transport,
        ):
            return await _read(await transport.handle_async_request(request))
    except (
        httpx.HTTPError,
        httpx.InvalidURL,
        OSError,
        ValueError,
        ExceptionGroup,
    ) as exc:  # TimeoutError is an OSError
        return _explain(exc, connect_seconds=connect_seconds, seconds=seconds)


def _explain(exc: Exception, *, connect_seconds: float, seconds: float) -> NoAnswer:
    """Say why there is no answer, and whether the receiver may have the request all the same."""
    match exc:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return NoAnswer(was_sent=False, error=f"no connection within {connect_seconds:g} s")
        case httpx.ConnectError():
            return NoAnswer(was_sent=False, error=f"no connection: {_first_line(str(exc))}")
        case TimeoutError() | httpx.TimeoutException():
            return NoAnswer(was_sent=True, error=f"it has not answered within {seconds:g} s")
        case (
            httpx.LocalProtocolError()
            | httpx.UnsupportedProtocol()
            | httpx.InvalidURL()
            | ValueError()
            | ExceptionGroup()  # of a port that is none
        ):
            # What it says may hold the header with the credentials.
            return NoAnswer(was_sent=False, error="the address or the credentials cannot be sent over HTTP")
    return NoAnswer(was_sent=True, error=f"the connection broke: {_first_line(str(exc))}")


async def _read(response: httpx.Response) -> Answer:
    """Read as much of an answer as says what is wrong; a good one need not be read."""
    text = b""
    retry_after = _first_line(response.headers.get("retry-after", ""))
    if response.status_code in _GOOD:
        return Answer(status=response.status_code)
    try:
        async for part in response.aiter_raw():
            text += part
            if len(text) >= LONGEST_ANSWER:
                break
    except httpx.HTTPError:
        pass  # the status counts, its explanation is lost
    shown = _first_line(text[:LONGEST_ANSWER].decode("utf-8", "replace"))
    return Answer(status=response.status_code, text=shown, retry_after=retry_after)


def _first_line(text: str) -> str:
    """Return text of another's as one short printable line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line[:200]


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """Return what certificates are judged by: those of the system, or of ``SSL_CERT_FILE``."""
    return ssl.create_default_context()
