"""How the API says no: a status, a message, and what can be done about it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel

TOO_MANY_SESSIONS = 509
_TITLES = {TOO_MANY_SESSIONS: "Too Many Sessions"}
RETRY_AFTER_SECONDS = 5


class ErrorDetail(BaseModel):
    """What is wrong, and what can be done about it."""

    code: int
    title: str
    message: str
    remedy: str = ""


class ErrorAnswer(BaseModel):
    """The body of every answer that is a refusal."""

    error: ErrorDetail


class RefusedError(Exception):
    """A request that is answered with a refusal.

    :param status: the HTTP status.
    :param remedy: what the sender can do about it.
    """

    def __init__(self, status: int, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.remedy = remedy


def make_refusal(status: int, message: str, remedy: str = "") -> JSONResponse:
    """Make the answer of a refusal."""
    title = _TITLES.get(status) or HTTPStatus(status).phrase
    detail = ErrorDetail(code=status, title=title, message=message, remedy=remedy)
    headers = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Keystone"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return JSONResponse(ErrorAnswer(error=detail).model_dump(), status_code=int(status), headers=headers)


def make_outage() -> JSONResponse:
    """Make the answer of a request that cannot be judged now; what ails us stands in our log."""
    return make_refusal(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "this cannot be answered now: the ledger, Keystone or Airflow does not answer as it should",
        "send it again; it is safe to be repeated, and the log of the API server says more",
    )


def describe_refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the refusals of a route for its documents; those that every route has are among them."""
    every = {400, 401, 403, 404, 405, 422, 503, *statuses}
    return {status: {"model": ErrorAnswer} for status in sorted(every)}
