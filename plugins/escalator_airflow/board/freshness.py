"""Answers that are asked for every two seconds: their tag says whether anything has happened."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

from fastapi import Request, Response
from pydantic import TypeAdapter

from escalator.board.board import Board, NodeLine

_BOARD = TypeAdapter(Board)


def dump_board(board: Board) -> bytes:
    """Write a board as JSON."""
    return _BOARD.dump_json(board)


def find_tag(board: Board, *beside: str) -> str:
    """Return the tag of a board: another one when something has happened, not as time goes by.

    :param beside: what an answer depends on beside the board.
    """
    head = board.campaign
    if head.forecast is not None:
        at = {key: getattr(head.forecast, key) for key in ("expected", "earliest", "latest")}
        rounded = {key: moment.replace(second=0, microsecond=0) for key, moment in at.items()}
        head = replace(head, forecast=replace(head.forecast, **rounded))
    still = replace(
        board, made_at=head.opened_at, campaign=head, nodes=tuple(_stop_clocks(node) for node in board.nodes)
    )
    digest = hashlib.sha256(dump_board(still))
    for text in beside:
        digest.update(b"\0" + text.encode())
    return f'"{digest.hexdigest()[:32]}"'


def _stop_clocks(node: NodeLine) -> NodeLine:
    if not any(cell.runs for cell in node.steps):
        return node
    return replace(node, steps=tuple(replace(c, seconds=None) if c.runs else c for c in node.steps))


def is_known(request: Request, tag: str) -> bool:
    """Tell whether the sender has what has that tag."""
    known = request.headers.get("If-None-Match", "").split(",")
    return tag in {part.strip().removeprefix("W/") for part in known}


def make_fresh_answer(
    body: bytes | str, media_type: str, tag: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with a body and its tag, to be asked for again each time."""
    return Response(body, media_type=media_type, headers={**_describe(tag), **(headers or {})})


def make_known_answer(tag: str) -> Response:
    """Answer that the sender has what there is."""
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=_describe(tag))


def _describe(tag: str) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Cookie, Authorization"}
