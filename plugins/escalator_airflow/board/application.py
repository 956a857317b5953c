"""The FastAPI app of the board: its routes, and what becomes of their errors."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from escalator.model.errors import EscalatorError, InvalidRequestError, NotFoundError
from escalator_airflow.board import campaigns, orders, pages
from escalator_airflow.board.access import find_means
from escalator_airflow.board.answers import RefusedError, make_refusal
from escalator_airflow.board.means import Means
from escalator_airflow.board.render import STATIC

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
    app.mount(f"{pages.PAGES}/static", StaticFiles(directory=STATIC), name="static")
    app.include_router(pages.router)
    for router in (campaigns.router, orders.router):
        app.include_router(router, prefix=PREFIX)
    app.exception_handler(RefusedError)(_say_refused)
    app.exception_handler(RequestValidationError)(_say_faults)
    app.exception_handler(HTTPException)(_say_http)
    app.exception_handler(EscalatorError)(_say_error)
    app.exception_handler(Exception)(_say_outage)
    return app


async def _say_refused(request: Request, exc: RefusedError) -> Response:
    """Say why a request is refused; with a page to whoever asked for one."""
    if not pages.is_page(request):
        return make_refusal(exc)
    if exc.status == HTTPStatus.UNAUTHORIZED and not pages.is_form(request):
        return pages.make_login_answer(request, find_means(request))
    message = f"Nothing was ordered: {exc.message}" if pages.is_form(request) else exc.message
    return pages.make_refusal_page(request, exc.status, message, exc.where, exc.remedy)


async def _say_faults(request: Request, exc: RequestValidationError) -> Response:
    """Name every fault of an address or a body, but not what was sent."""
    faults = [(".".join(str(part) for part in fault["loc"][1:]), fault["msg"]) for fault in exc.errors()[:20]]
    refused = RefusedError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "; ".join(f"{where}: {what}" for where, what in faults),
        where=", ".join(where for where, _ in faults),
        remedy="correct it and send it again; nothing was done",
    )
    return await _say_refused(request, refused)


async def _say_http(request: Request, exc: HTTPException) -> Response:
    refused = RefusedError(
        exc.status_code, str(exc.detail), where=request.url.path, remedy="see openapi.json for what there is"
    )
    answer = await _say_refused(request, refused)
    answer.headers.update(exc.headers or {})
    return answer


async def _say_error(request: Request, exc: EscalatorError) -> Response:
    """Say what the ledger or the documents of a campaign have against a request."""
    if isinstance(exc, NotFoundError):
        status = HTTPStatus.NOT_FOUND
    elif isinstance(exc, InvalidRequestError):
        status = HTTPStatus.CONFLICT
    else:
        return await _say_outage(request, exc)
    refused = RefusedError(status, exc.message, where=request.url.path, remedy=exc.remedy or "")
    return await _say_refused(request, refused)


async def _say_outage(request: Request, exc: Exception) -> Response:
    log.error("%s %s cannot be answered: %s", request.method, request.url.path, exc, exc_info=exc)
    refused = RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "this cannot be answered now: the ledger or Airflow does not answer as it should",
        where=request.url.path,
        remedy="ask again; the log of the API server says more",
    )
    return await _say_refused(request, refused)
