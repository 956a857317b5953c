"""Answers that are asked for every two seconds: their tag says whether anything has changed."""

from __future__ import annotations

import hashlib
from http import HTTPStatus

from fastapi import Request, Response


def send_fresh(request: Request, body: bytes, media_type: str, *, tell: bytes | None = None) -> Response:
    """Answer with a body, or with 304 when the sender has it already.

    :param tell: what the tag is made of; None: the body.
    """
    tag = f'"{hashlib.sha256(body if tell is None else tell).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Cookie, Authorization"}
    known = {part.strip().removeprefix("W/") for part in request.headers.get("If-None-Match", "").split(",")}
    if tag in known:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, media_type=media_type, headers=headers)
