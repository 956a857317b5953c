"""Orders over HTTP: as JSON, and as a form of a page without JavaScript."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from escalator.model.errors import ConflictError, InvalidRequestError, NotFoundError
from escalator.model.order import Order, Verb
from escalator.orders.judging import CONFIRMATIONS, MOST_REASON, Asked
from escalator_airflow.board.access import DagId, EditorDep, Host, MeansDep, ReaderDep, RunId
from escalator_airflow.board.answers import RefusedError, describe_refusals
from escalator_airflow.board.giving_orders import give_order
from escalator_airflow.board.means import Means, Person
from escalator_airflow.board.pages import FORM, PAGES, is_form, make_refusal_page

MOST_BODY = 16_384
"""Bytes of a body."""
router = APIRouter(prefix="/campaigns/{dag_id}/{run_id}", tags=["orders"])


class OrderBody(BaseModel):
    """What is sent with an order.

    ``confirm`` is for ``abort-moves`` alone: the name of the node, twice. ``back`` is for forms: the page
    that the browser goes to then.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    reason: Annotated[str, Field(min_length=1, max_length=MOST_REASON)]
    confirm: Annotated[list[str], Field(max_length=CONFIRMATIONS)] = []
    back: Annotated[str, Field(max_length=2000)] = ""


class OrderShown(BaseModel):
    """An order, as it is written down; ``effective_at`` is null until it has taken effect."""

    id: int
    verb: Verb
    host: str | None
    by: str
    at: datetime
    reason: str
    plan_hash: str
    in_flight: bool
    effective_at: datetime | None
    effect: str


class OrderAnswer(BaseModel):
    """What an order does: ``in_flight`` are the nodes that were out, ``waiting`` those that waited."""

    order: OrderShown
    in_flight: list[str]
    waiting: list[str]


class OrdersAnswer(BaseModel):
    """All orders of a run, the earliest first."""

    orders: list[OrderShown]


async def read_body(request: Request) -> OrderBody:
    """Read the body of an order, as JSON or as a form.

    :raises RefusedError: it cannot be read, or something in it is wrong.
    """
    raw = await request.body()
    if len(raw) > MOST_BODY:
        raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {MOST_BODY} bytes")
    try:
        return OrderBody.model_validate(_parse(raw, is_form=is_form(request)))
    except ValidationError as exc:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in exc.errors()[:20])
        remedy = 'send {"reason": "why"}; nothing was ordered'
        raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, faults, where="body", remedy=remedy) from None
    except (ValueError, RecursionError):
        raise RefusedError(
            HTTPStatus.BAD_REQUEST, "the body is neither JSON nor a form", where="body"
        ) from None


def _parse(raw: bytes, *, is_form: bool) -> Any:
    if not is_form:
        return json.loads(raw)
    fields = parse_qs(raw.decode(), keep_blank_values=True, max_num_fields=20)
    return {key: values if key == "confirm" else values[-1] for key, values in fields.items()}


BodyDep = Annotated[OrderBody, Depends(read_body)]
_BODY = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": OrderBody.model_json_schema()} for kind in ("application/json", FORM)},
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    303: {"description": "a form was sent: the page to go to"},
    **describe_refusals(400, 409, 413, 422),
}


@router.get("/orders", responses=describe_refusals(422))
def list_orders(dag_id: DagId, run_id: RunId, reader: ReaderDep, means: MeansDep) -> OrdersAnswer:
    """List what was ordered of a campaign: who, when, why, and when it took effect."""
    del reader
    run = means.open_ledger().run(dag_id, run_id)
    if run.opened_at() is None:
        raise NotFoundError(f"the ledger has no run {run_id} of {dag_id}")
    return OrdersAnswer(orders=[_show(order) for order in run.orders().read()])


@router.post("/{verb}", response_model=OrderAnswer, responses=_ANSWERS, openapi_extra=_BODY)
async def order_of_campaign(
    request: Request,
    dag_id: DagId,
    run_id: RunId,
    verb: Verb,
    editor: EditorDep,
    means: MeansDep,
    body: BodyDep,
) -> Response:
    """Order something of a whole campaign: pause, resume, stop, approve."""
    asked = Asked(verb=verb, by=editor.name, reason=body.reason, confirmed=tuple(body.confirm))
    return await _order(request, dag_id, run_id, asked, editor, means, body)


@router.post("/nodes/{host}/{verb}", response_model=OrderAnswer, responses=_ANSWERS, openapi_extra=_BODY)
async def order_of_node(
    request: Request,
    dag_id: DagId,
    run_id: RunId,
    host: Host,
    verb: Verb,
    editor: EditorDep,
    means: MeansDep,
    body: BodyDep,
) -> Response:
    """Order something of one node: skip, hold, approve, abort-moves (its name twice in ``confirm``)."""
    asked = Asked(verb=verb, host=host, by=editor.name, reason=body.reason, confirmed=tuple(body.confirm))
    return await _order(request, dag_id, run_id, asked, editor, means, body)


async def _order(
    request: Request,
    dag_id: str,
    run_id: str,
    asked: Asked,
    editor: Person,
    means: Means,
    body: OrderBody,
) -> Response:
    """Give an order, and answer as it was sent: JSON, or the way back to a page."""
    form, board = is_form(request), f"{request.scope.get('root_path', '')}{PAGES}"
    back = body.back if _is_our_page(body.back, board) else board
    try:
        given = await run_in_threadpool(give_order, means, editor, dag_id, run_id, asked)
    except (ConflictError, InvalidRequestError, NotFoundError) as exc:
        status = _STATUS.get(type(exc), HTTPStatus.UNPROCESSABLE_ENTITY)
        refused = RefusedError(status, exc.message, where=asked.host or run_id, remedy=exc.remedy or "")
        if not form:
            raise refused from exc
        remedy = refused.remedy or "go back: the board shows how the campaign stands now"
        said = (f"Nothing was ordered: {refused.message}", refused.where, remedy)
        return make_refusal_page(request, refused.status, *said, back=back)
    if form:
        return RedirectResponse(back, status_code=HTTPStatus.SEE_OTHER)
    answer = OrderAnswer(
        order=_show(given.order), in_flight=list(given.ground.in_flight), waiting=list(given.ground.waiting)
    )
    return JSONResponse(answer.model_dump(mode="json"), headers={"Cache-Control": "no-store"})


_STATUS: Mapping[type[Exception], HTTPStatus] = {
    ConflictError: HTTPStatus.CONFLICT,
    NotFoundError: HTTPStatus.NOT_FOUND,
}


def _is_our_page(path: str, board: str) -> bool:
    """Tell whether a form may lead there: to a page of the board, and to no other site."""
    return path.startswith(board) and path[len(board) :][:1] in {"", "/", "?", "#"} and path.isprintable()


def _show(order: Order) -> OrderShown:
    return OrderShown(**asdict(order))
