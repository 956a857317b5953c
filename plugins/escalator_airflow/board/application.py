"""The FastAPI app of the board: its routes, and what becomes of their errors."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from escalator.model.errors import EscalatorError, InvalidRequestError, NotFoundError
from escalator_airflow.board import campaigns
from escalator_airflow.board.answers import RefusedError, make_refusal
from escalator_airflow.board.means import Means

API_VERSION = "1"
PREFIX = "/v1"

log = logging.getLogger(__name__)


def create_app(means: Means) -> FastAPI:
    """Make the app.

    :param means: what its routes need of the world.
    """
    app = FastAPI(
        title="Escalator's campaigns",
        description="How campaigns stand, and what a person orders; with Airflow's log-in and rights.",
        version=API_VERSION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.means = means
    for router in (campaigns.router,):
        app.include_router(router, prefix=PREFIX)
    app.exception_handler(RefusedError)(_say_refused)
    app.exception_handler(RequestValidationError)(_say_faults)
    app.exception_handler(HTTPException)(_say_http)
    app.exception_handler(EscalatorError)(_say_error)
    app.exception_handler(Exception)(_say_outage)
    return app


async def _say_refused(_: Request, exc: RefusedError) -> JSONResponse:
    return make_refusal(exc)


async def _say_faults(_: Request, exc: RequestValidationError) -> JSONResponse:
    """Name every fault of an address or a body, but not what was sent."""
    faults = [(".".join(str(part) for part in fault["loc"][1:]), fault["msg"]) for fault in exc.errors()[:20]]
    return make_refusal(
        RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "; ".join(f"{where}: {what}" for where, what in faults),
            where=", ".join(where for where, _ in faults),
            remedy="correct it and send it again; nothing was done",
        )
    )


async def _say_http(request: Request, exc: HTTPException) -> JSONResponse:
    refused = RefusedError(
        exc.status_code, str(exc.detail), where=request.url.path, remedy="see openapi.json for what there is"
    )
    answer = make_refusal(refused)
    answer.headers.update(exc.headers or {})
    return answer


async def _say_error(request: Request, exc: EscalatorError) -> JSONResponse:
    """Say what the ledger or the documents of a campaign have against a request."""
    if isinstance(exc, NotFoundError):
        status = HTTPStatus.NOT_FOUND
    elif isinstance(exc, InvalidRequestError):
        status = HTTPStatus.CONFLICT
    else:
        return await _say_outage(request, exc)
    where = request.url.path
    return make_refusal(RefusedError(status, exc.message, where=where, remedy=exc.remedy or ""))


async def _say_outage(request: Request, exc: Exception) -> JSONResponse:
    log.error("%s %s cannot be answered: %s", request.method, request.url.path, exc, exc_info=exc)
    return make_refusal(
        RefusedError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "this cannot be answered now: the ledger or Airflow does not answer as it should",
            where=request.url.path,
            remedy="ask again; the log of the API server says more",
        )
    )
