"""The board as JSON: all campaigns, and one of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from escalator.board.board import Board, CampaignLine
from escalator.board.build import build_line
from escalator_airflow.board.access import DagId, MeansDep, PersonDep, ReaderDep, RunId
from escalator_airflow.board.answers import describe_refusals
from escalator_airflow.board.freshness import (
    dump_board,
    find_tag,
    is_known,
    make_fresh_answer,
    make_known_answer,
)

MOST_CAMPAIGNS = 500
router = APIRouter(prefix="/campaigns", tags=["campaigns"])


class CampaignsAnswer(BaseModel):
    """The campaigns that the sender may look at, the newest first."""

    campaigns: list[CampaignLine]


@router.get("", responses=describe_refusals(422))
def list_campaigns(
    person: PersonDep,
    means: MeansDep,
    limit: Annotated[int, Query(ge=1, le=MOST_CAMPAIGNS, description="how many of the newest")] = 100,
) -> CampaignsAnswer:
    """List the campaigns that were begun last, as far as the sender may look at their DAGs."""
    found = means.open_ledger().campaigns(limit)
    readable = means.gate.find_readable(person, {line.dag_id for line in found})
    return CampaignsAnswer(campaigns=[build_line(line) for line in found if line.dag_id in readable])


@router.get("/{dag_id}/{run_id}", responses={200: {"model": Board}, **describe_refusals(422)})
def show_campaign(
    request: Request, dag_id: DagId, run_id: RunId, reader: ReaderDep, means: MeansDep
) -> Response:
    """Return the board of one campaign; with ``If-None-Match``, 304 as long as nothing has happened."""
    del reader
    board = means.looks.look_anew(dag_id, run_id, means.clock())
    tag = find_tag(board)
    if is_known(request, tag):
        return make_known_answer(tag)
    return make_fresh_answer(dump_board(board), "application/json", tag)
