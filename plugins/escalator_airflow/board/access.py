"""Who may look, and who may order: dependencies for the routes of the board's app.

``ReaderDep`` is for routes that show one campaign, ``EditorDep`` for those that change what it does; both
take the campaign from the path parameter ``dag_id``. ``EditorDep`` also refuses what another site has
made a browser send.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Path, Request
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool

from escalator_airflow.board.answers import RefusedError
from escalator_airflow.board.means import Means, Person

LONGEST_NAME = 250
"""Characters of the ids of DAGs and runs in Airflow."""
DagId = Annotated[str, Path(max_length=LONGEST_NAME, pattern=r"^[\w.~-]+$", description="id of the DAG")]
RunId = Annotated[str, Path(max_length=LONGEST_NAME, min_length=1, description="id of the run")]
Host = Annotated[str, Path(max_length=255, min_length=1, description="nova-compute service host")]
_BEARER = HTTPBearer(auto_error=False, scheme_name="Airflow", description="a token of Airflow's /auth/token")
_LOG_IN = "log in to Airflow, or send Authorization: Bearer with a token of /auth/token"


def find_means(request: Request) -> Means:
    """Return the means of the app that a request came to."""
    means = request.app.state.means
    if not isinstance(means, Means):
        raise TypeError(f"the app has {means!r} for means")
    return means


MeansDep = Annotated[Means, Depends(find_means)]


async def find_person(request: Request, means: MeansDep, _: Annotated[object, Depends(_BEARER)]) -> Person:
    """Find out who sent a request.

    :raises RefusedError: nobody who is logged in.
    """
    person = await means.gate.find_person(request)
    if person is None:
        raise RefusedError(
            HTTPStatus.UNAUTHORIZED, "you are not logged in", where="Authorization", remedy=_LOG_IN
        )
    return person


PersonDep = Annotated[Person, Depends(find_person)]


async def find_reader(person: PersonDep, means: MeansDep, dag_id: DagId) -> Person:
    """Find out who sent a request, and see that they may look at the campaign.

    :raises RefusedError: they are not logged in, or may not.
    """
    if not await run_in_threadpool(means.gate.may_read, person, dag_id):
        raise RefusedError(
            HTTPStatus.FORBIDDEN,
            f"{person.name} may not look at this DAG",
            where=dag_id,
            remedy="ask an administrator of Airflow for the right to read it",
        )
    return person


ReaderDep = Annotated[Person, Depends(find_reader)]


async def find_editor(request: Request, person: PersonDep, means: MeansDep, dag_id: DagId) -> Person:
    """Find out who sent an order, and see that they may give it and mean it.

    :raises RefusedError: they are not logged in, may not, or another site had their browser send it.
    """
    refuse_other_sites(request)
    if not await run_in_threadpool(means.gate.may_edit, person, dag_id):
        raise RefusedError(
            HTTPStatus.FORBIDDEN,
            f"{person.name} may not change what this DAG does",
            where=dag_id,
            remedy="ask an administrator of Airflow for the right to edit it",
        )
    return person


EditorDep = Annotated[Person, Depends(find_editor)]


def refuse_other_sites(request: Request) -> None:
    """See that a request which changes something was sent by our own page, or shows a token of its own.

    The session cookie alone proves nothing: a browser sends it whoever asks. It says whose page asked.

    :raises RefusedError: it was another site's, or nothing says whose it was.
    """
    headers = request.headers
    if headers.get("Authorization", "").lower().startswith("bearer "):
        return
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        if site == "same-origin":
            return
    elif urlsplit(headers.get("Origin", "")).netloc == headers.get("Host"):
        # without TLS a browser sends no Sec-Fetch-Site, so that there is no proxy which ended TLS, either
        return
    raise RefusedError(
        HTTPStatus.FORBIDDEN,
        "this was not sent by a page of this Airflow, and has no token",
        where="Sec-Fetch-Site" if site is not None else "Origin",
        remedy="use the board itself, or send Authorization: Bearer with a token of /auth/token",
    )
