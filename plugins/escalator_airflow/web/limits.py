"""What holds for every request before it is looked at: it has a token, is JSON, and is not too large."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from escalator_airflow.web.answers import make_outage, make_refusal
from escalator_airflow.web.lazy_app import Message, Receive, Send

MOST_BYTES = 64 * 1024
TOKEN_HEADER = b"x-auth-token"
OPEN_PATHS = ("/openapi.json",)
"""Paths that tell what there is, and nothing of any cloud."""

log = logging.getLogger(__name__)


class Limits:
    """Refuses what no route would look at, and lets no error of ours out as a traceback.

    :param app: the ASGI app behind it.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Look at the head, take the whole body, and hand both on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = _without_last_slash(scope)
        started = False

        async def note_and_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            refusal, body = await _judge(scope, receive)
            if refusal is not None:
                await refusal(scope, receive, note_and_send)
                return
            await self._app(scope, _repeat(body, receive), note_and_send)
        except Exception:
            log.exception("%s %s failed", scope["method"], _path_of(scope))
            if started:
                raise
            await make_outage()(scope, receive, send)


async def _judge(scope: Message, receive: Receive) -> tuple[Any, bytes]:
    """Return why a request is refused, if it is, and its body."""
    headers = dict(scope["headers"])
    if TOKEN_HEADER not in headers and _path_of(scope) not in OPEN_PATHS:
        return make_refusal(
            HTTPStatus.UNAUTHORIZED, "there is no X-Auth-Token", "send a token of the cloud's Keystone"
        ), b""
    body = await _read(headers, receive)
    if body is None:
        return make_refusal(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body has more than {MOST_BYTES} bytes",
            "send fewer instances at a time",
        ), b""
    if body and not _is_json(headers):
        return make_refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body is no JSON", "send Content-Type: application/json"
        ), b""
    return None, body


def _without_last_slash(scope: Message) -> Message:
    """Take an address that ends with a slash, as Fenix's documents have some, for the one without.

    A slash that is written as ``%2F`` belongs to an id, which has none: that stays as it is.
    """
    raw = bytes(scope.get("raw_path") or b"")
    if not raw.endswith(b"/") or raw.endswith(b"//"):
        return scope
    return {**scope, "path": str(scope["path"])[:-1]}


def _path_of(scope: Message) -> str:
    """Return the path below the place that the app is mounted at."""
    return str(scope["path"]).removeprefix(str(scope.get("root_path", "")))


def _is_json(headers: dict[bytes, bytes]) -> bool:
    kind = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


async def _read(headers: dict[bytes, bytes], receive: Receive) -> bytes | None:
    """Read the body; None when it is too large, of which the rest is left."""
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > MOST_BYTES:
        return None
    parts, length = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        length += len(part)
        if length > MOST_BYTES:
            return None
        parts.append(part)
        if message["type"] != "http.request" or not message.get("more_body", False):
            return b"".join(parts)


def _repeat(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read, once; then what comes."""
    given = False

    async def give() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give
