"""The FastAPI app: its routes, and what becomes of their errors."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from escalator.documents.faults import describe_fault
from escalator.model.errors import EscalatorError
from escalator_airflow.web import constraints, replies, sessions
from escalator_airflow.web.answers import RefusedError, make_outage, make_refusal
from escalator_airflow.web.limits import Limits
from escalator_airflow.web.means import Means

API_VERSION = "1"

log = logging.getLogger(__name__)


def create_app(means: Means) -> FastAPI:
    """Make the app.

    :param means: what its routes need of the world.
    """
    app = FastAPI(
        title="Escalator's VIM interface",
        description="Maintenance of a cloud, for its administrators and the managers of its VNFs; "
        "the routes and bodies are those of OpenStack Fenix.",
        version=API_VERSION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # the limits take the slash away; not every client follows a redirect
    )
    app.state.means = means
    for router in (sessions.router, constraints.router, replies.router):
        app.include_router(router, prefix="/{cloud}/v1")
    app.exception_handler(RefusedError)(_say_refused)
    app.exception_handler(RequestValidationError)(_say_faults)
    app.exception_handler(HTTPException)(_say_http)
    app.exception_handler(EscalatorError)(_say_outage)
    app.add_middleware(Limits)
    return app


async def _say_refused(_: Request, exc: RefusedError) -> JSONResponse:
    return make_refusal(exc.status, exc.message, exc.remedy)


async def _say_faults(_: Request, exc: RequestValidationError) -> JSONResponse:
    """Name every fault of a body or an address; what cannot be read at all is a bad request."""
    errors = exc.errors()
    if any(error["type"] == "json_invalid" for error in errors):
        return make_refusal(HTTPStatus.BAD_REQUEST, "the body is no JSON", "see its brackets and quotes")
    faults = [str(describe_fault(error, {})._replace(at=tuple(error["loc"][1:]))) for error in errors[:20]]
    return make_refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(faults), "correct it and send it again")


async def _say_http(_: Request, exc: HTTPException) -> JSONResponse:
    answer = make_refusal(exc.status_code, str(exc.detail))
    answer.headers.update(exc.headers or {})
    return answer


async def _say_outage(request: Request, exc: EscalatorError) -> JSONResponse:
    log.error("%s %s cannot be answered: %s", request.method, request.url.path, exc)
    return make_outage()
