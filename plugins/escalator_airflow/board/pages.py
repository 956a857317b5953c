"""The board as pages: the list of campaigns, one campaign, and what of it changes."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from escalator.board.build import build_line
from escalator_airflow.board.access import DagId, MeansDep, PersonDep, ReaderDep, RunId
from escalator_airflow.board.freshness import find_tag, is_known, make_fresh_answer, make_known_answer
from escalator_airflow.board.means import Means
from escalator_airflow.board.render import HEADERS, render_list, render_live, render_page, render_refusal

MOST_CAMPAIGNS = 100
PAGES = "/board"
LIVE = "/live"
FORM = "application/x-www-form-urlencoded"
HTML = "text/html; charset=utf-8"
router = APIRouter(prefix=PAGES, include_in_schema=False)


@router.get("")
def show_list(request: Request, person: PersonDep, means: MeansDep) -> Response:
    """Show the campaigns that the reader may look at."""
    found = means.open_ledger().campaigns(MOST_CAMPAIGNS)
    readable = means.gate.find_readable(person, {line.dag_id for line in found})
    lines = [build_line(line) for line in found if line.dag_id in readable]
    page = render_list(lines, root=_root(request), now=means.clock(), person=person.name)
    return HTMLResponse(page, headers={**HEADERS, "Cache-Control": "private, no-cache"})


@router.get("/{dag_id}/{run_id}")
def show_board(
    request: Request, dag_id: DagId, run_id: RunId, reader: ReaderDep, means: MeansDep, node: str = ""
) -> Response:
    """Show one campaign, with what may be ordered of one of its nodes."""
    board = means.looks.look_anew(dag_id, run_id, means.clock())
    may_edit = means.gate.may_edit(reader, dag_id)
    page = render_page(board, root=_root(request), may_edit=may_edit, person=reader.name, node=node)
    return make_fresh_answer(page, HTML, find_tag(board, "page", reader.name, str(may_edit), node), HEADERS)


@router.get("/{dag_id}/{run_id}" + LIVE)
def show_live(
    request: Request, dag_id: DagId, run_id: RunId, reader: ReaderDep, means: MeansDep, node: str = ""
) -> Response:
    """Show what of a campaign changes; 304 as long as nothing has happened."""
    board = means.looks.look(dag_id, run_id, means.clock())
    may_edit = means.gate.may_edit(reader, dag_id)
    tag = find_tag(board, "live", str(may_edit), node)
    if is_known(request, tag):
        return make_known_answer(tag)
    page = render_live(board, root=_root(request), may_edit=may_edit, node=node)
    return make_fresh_answer(page, HTML, tag, HEADERS)


def is_page(request: Request) -> bool:
    """Tell whether a person asked with a browser, for a page or by a form, and is to be answered with one."""
    path = request.url.path.removeprefix(_root(request))
    return is_form(request) or (path.startswith(PAGES) and not path.endswith(LIVE))


def is_form(request: Request) -> bool:
    """Tell whether a request was sent by a form of a page."""
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower() == FORM


def make_refusal_page(
    request: Request, status: int, message: str, where: str, remedy: str, back: str = ""
) -> Response:
    """Answer with a page that says why there is no other.

    :param back: path of the page that the reader came from; empty: none.
    """
    page = render_refusal(status, message, root=_root(request), where=where, remedy=remedy, back=back)
    headers = {**HEADERS, "Cache-Control": "no-store"}
    return HTMLResponse(page, status_code=int(status), headers=headers)


def make_login_answer(request: Request, means: Means) -> Response:
    """Send whoever is not logged in to Airflow's page for that."""
    headers = {"Location": means.gate.find_login(request), "Cache-Control": "no-store"}
    return Response(status_code=HTTPStatus.SEE_OTHER, headers=headers)


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))
