"""How the board's API says no: what is wrong, where, and what can be done about it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel


class ErrorDetail(BaseModel):
    """What is wrong, where, and what can be done about it."""

    code: int
    title: str
    message: str
    where: str = ""
    remedy: str = ""


class ErrorAnswer(BaseModel):
    """The body of every answer that is a refusal."""

    error: ErrorDetail


class RefusedError(Exception):
    """A request that is answered with a refusal.

    :param status: the HTTP status.
    :param message: what is wrong.
    :param where: what it is about: a campaign, a node, a header.
    :param remedy: what the sender can do about it.
    """

    def __init__(self, status: int, message: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.where = where
        self.remedy = remedy


def make_refusal(exc: RefusedError) -> JSONResponse:
    """Make the answer of a refusal."""
    detail = ErrorDetail(
        code=exc.status,
        title=HTTPStatus(exc.status).phrase,
        message=exc.message,
        where=exc.where,
        remedy=exc.remedy,
    )
    headers = {"Cache-Control": "no-store"}
    if exc.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(ErrorAnswer(error=detail).model_dump(), status_code=int(exc.status), headers=headers)


def describe_refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the refusals of a route for its documents; those that every route has are among them."""
    return {status: {"model": ErrorAnswer} for status in sorted({401, 403, 404, 503, *statuses})}
