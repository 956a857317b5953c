"""What managers of VNFs ask and answer within a session."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from escalator.ledger.ledger import Ledger
from escalator.model.notice import NoticeEvent, NoticeRecord, NoticeState, Reply, ReplyOutcome
from escalator.model.wording import name_some
from escalator.vim_interface.wire.bodies import ReplyBody
from escalator_airflow.web.answers import RefusedError, describe_refusals
from escalator_airflow.web.callers import CallerDep, LedgerDep, MeansDep, PathId
from escalator_airflow.web.sessions import find_session

router = APIRouter(prefix="/maintenance", tags=["replies"])
NoticeNumber = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="number of the notice")]

_GOOD = frozenset({ReplyOutcome.TAKEN, ReplyOutcome.REPEATED, ReplyOutcome.NOTED})
_BAD = {
    ReplyOutcome.CONTRADICTED: (
        HTTPStatus.CONFLICT,
        "another answer is there already, and holds",
        "nothing more to send: the first answer counts",
    ),
    ReplyOutcome.LATE: (
        HTTPStatus.GONE,
        "the time to answer is over",
        "answer before reply_at of the notice",
    ),
    ReplyOutcome.UNASKED: (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "nothing of this state was asked of the project",
        "answer with ACK_ or NACK_ and the state of the notice, at its reply_url",
    ),
    ReplyOutcome.UNKNOWN: (HTTPStatus.NOT_FOUND, "there is no such maintenance session", "see the notice"),
}


class InstancesAnswer(BaseModel):
    """The instances that the newest notice to a project is about."""

    instance_ids: list[str]


class ReplyAnswer(BaseModel):
    """What became of a reply: ``taken``, ``repeated`` (the same was there), ``noted`` (none was due)."""

    outcome: ReplyOutcome


@router.get("/{sid}/{project}", responses=describe_refusals())
def read_instances(
    sid: PathId, project: PathId, caller: CallerDep, ledger: LedgerDep, notice: NoticeNumber = None
) -> InstancesAnswer:
    """List the instances that a notice to the project is about, the newest one if none is named."""
    caller.require(project)
    session = find_session(ledger, caller, sid)
    asked = [
        record
        for record in ledger.notices().find(session.id, project_id=project)
        if _is_for_project(record) and notice in {None, record.number}
    ]
    return InstancesAnswer(instance_ids=list(asked[-1].notice.instance_ids) if asked else [])


@router.put("/{sid}/{project}", responses=describe_refusals(409, 410, 413, 415))
def take_reply(
    sid: PathId,
    project: PathId,
    body: ReplyBody,
    caller: CallerDep,
    ledger: LedgerDep,
    means: MeansDep,
    notice: NoticeNumber = None,
) -> ReplyAnswer:
    """Take the answer of a project; the same answer again is as good."""
    caller.require(project)
    _refuse_other_session(body, sid)
    session = find_session(ledger, caller, sid)
    reply = body.make_reply()
    _refuse_foreign_instances(ledger, session.id, project, reply)
    outcome = ledger.notices().record_reply(session.id, project, reply, means.clock(), number=notice)
    return _answer(_soften(outcome, ledger, session.id, project, reply))


@router.put("/{sid}/{project}/{instance}", responses=describe_refusals(409, 410, 413, 415))
def take_instance_reply(
    sid: PathId,
    project: PathId,
    instance: PathId,
    body: ReplyBody,
    caller: CallerDep,
    ledger: LedgerDep,
    means: MeansDep,
    notice: NoticeNumber = None,
) -> ReplyAnswer:
    """Take the answer for one instance; the same answer again is as good."""
    caller.require(project)
    _refuse_other_session(body, sid)
    session = find_session(ledger, caller, sid)
    reply = body.make_reply(instance)
    _refuse_foreign_instances(ledger, session.id, project, reply)
    outcome = ledger.notices().record_reply(
        session.id, project, reply, means.clock(), instance_id=instance, number=notice
    )
    return _answer(_soften(outcome, ledger, session.id, project, reply))


def _is_for_project(record: NoticeRecord) -> bool:
    """Tell whether a notice names its instances by the address of the project."""
    notice = record.notice
    return (
        notice.event is NoticeEvent.SCHEDULED
        and notice.instance_id is None
        and notice.state is not NoticeState.INSTANCE_ACTION_DONE
    )


def _refuse_other_session(body: ReplyBody, session_id: str) -> None:
    if body.session_id and body.session_id != session_id:
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"session_id: is {body.session_id}, and the address names {session_id}",
            remedy="send the session_id of the notice to the reply_url of the notice",
        )


def _refuse_foreign_instances(ledger: Ledger, session_id: str, project_id: str, reply: Reply) -> None:
    """Refuse actions for instances that no notice of that state to the project is about."""
    if not reply.actions:
        return
    asked = ledger.notices().find(session_id, project_id=project_id, state=reply.state)
    about = {server for record in asked for server in record.notice.instance_ids}
    about.update(record.notice.instance_id for record in asked if record.notice.instance_id is not None)
    foreign = sorted(set(reply.actions) - about)
    if asked and foreign:
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"instance_actions: nothing was asked about {name_some(foreign)}",
            remedy="answer for the instances of the notice only",
        )


def _soften(
    outcome: ReplyOutcome, ledger: Ledger, session_id: str, project_id: str, reply: Reply
) -> ReplyOutcome:
    """Take a reply to news for a receipt: Tacker replies to INSTANCE_ACTION_DONE until it reads 200."""
    if outcome is not ReplyOutcome.UNASKED:
        return outcome
    told = ledger.notices().find(session_id, project_id=project_id, state=reply.state)
    return ReplyOutcome.NOTED if told and all(r.notice.reply_at is None for r in told) else outcome


def _answer(outcome: ReplyOutcome) -> ReplyAnswer:
    if outcome in _GOOD:
        return ReplyAnswer(outcome=outcome)
    status, message, remedy = _BAD[outcome]
    raise RefusedError(status, message, remedy=remedy)
