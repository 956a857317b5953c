"""Maintenance sessions, for administrators: begin one, see how it stands, take it off the list."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from escalator.ledger.ledger import Ledger
from escalator.model.maintenance_session import RUN_ID_PREFIX, MaintenanceSession, SessionState
from escalator.vim_interface.wire.bodies import SessionBody, StateBody
from escalator_airflow.web.answers import TOO_MANY_SESSIONS, RefusedError, describe_refusals
from escalator_airflow.web.callers import AdminDep, Caller, LedgerDep, MeansDep, PathId
from escalator_airflow.web.means import Means, WantedRun
from escalator_airflow.web.session_detail import describe_session
from escalator_airflow.web.session_settings import find_most_sessions
from escalator_airflow.web.wanted_runs import plan_runs

router = APIRouter(prefix="/maintenance", tags=["maintenance"])


class SessionsAnswer(BaseModel):
    """The sessions of the cloud, the newest first, under both names that Fenix has for them."""

    session_id: list[str]
    sessions: list[str]


class SessionAnswer(BaseModel):
    """How a session stands."""

    session_id: str
    state: SessionState


class StartedAnswer(BaseModel):
    """A session that has begun.

    :ivar campaigns: the DAGs of which a run was started.
    :ivar ignored: keys of the body that were read and are not carried out.
    """

    session_id: str
    campaigns: list[str]
    ignored: list[str]


class HostAnswer(BaseModel):
    """How a node of a session stands; ``maintained``: it was upgraded and given back."""

    hostname: str
    campaign: str
    state: str
    maintained: bool


class InstanceAnswer(BaseModel):
    """What was asked about an instance, and what its manager answered."""

    instance_id: str
    project_id: str
    host: str | None
    project_state: str
    action: str | None


class DetailAnswer(SessionAnswer):
    """A session with its nodes and the instances that notices are about; plug-ins there are none."""

    hosts: list[HostAnswer]
    instances: list[InstanceAnswer]
    plugins: list[str]


@router.get("", responses=describe_refusals())
def list_sessions(caller: AdminDep, ledger: LedgerDep) -> SessionsAnswer:
    """List the sessions of the cloud."""
    ids = [session.id for session in ledger.notices().sessions(caller.cloud)]
    return SessionsAnswer(session_id=ids, sessions=ids)


@router.post("", responses=describe_refusals(409, 413, 415, TOO_MANY_SESSIONS))
def start_session(body: SessionBody, caller: AdminDep, ledger: LedgerDep, means: MeansDep) -> StartedAnswer:
    """Begin a session: a campaign for each drain domain that has hosts of it."""
    now = means.clock()
    if body.maintenance_at <= now:
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"maintenance_at: {body.maintenance_at:%Y-%m-%d %H:%M:%S} UTC is in the past",
            remedy="name a time ahead, in UTC",
        )
    runs = plan_runs(caller.inventory, body, now)
    _refuse_too_many(ledger, caller.cloud)
    means.starter.check(runs)
    session_id = str(uuid.uuid4())
    opened = MaintenanceSession(
        id=session_id,
        cloud=caller.cloud,
        state=SessionState.MAINTENANCE,
        opened_at=now,
        runs=tuple((run.dag_id, f"{RUN_ID_PREFIX}{session_id}") for run in runs),
        request=body.model_dump(mode="json", exclude_none=True),
    )
    ledger.notices().open_session(opened)  # before the runs: what runs is known, whatever ends us
    start = Start(opened=opened, caller=caller, ledger=ledger, means=means)
    start.run(runs)
    ignored = [key for key in ("download", "actions") if getattr(body, key)]
    return StartedAnswer(session_id=session_id, campaigns=[run.dag_id for run in runs], ignored=ignored)


@router.get("/{sid}", responses=describe_refusals())
def read_session(sid: PathId, caller: AdminDep, ledger: LedgerDep) -> SessionAnswer:
    """Say how a session stands."""
    return _answer(find_listed(ledger, caller, sid))


@router.put("/{sid}", responses=describe_refusals(409, 413, 415))
def put_session(sid: PathId, body: StateBody, caller: AdminDep, ledger: LedgerDep) -> SessionAnswer:
    """Take the state that a session has already; another one comes by Airflow only."""
    session = find_listed(ledger, caller, sid)
    if body.state != session.state:
        raise RefusedError(
            HTTPStatus.CONFLICT,
            f"the session is in state {session.state}, and its campaigns say what comes next",
            remedy="clear the failed tasks of its runs in Airflow to go on with a session that failed",
        )
    return _answer(session)


@router.delete("/{sid}", responses=describe_refusals(409))
def delete_session(sid: PathId, caller: AdminDep, ledger: LedgerDep, means: MeansDep) -> dict[str, Any]:
    """Take a session off the list, when nothing of it goes on; its notices stay for the reports."""
    session = find_session(ledger, caller, sid)
    if not session.state.ended and means.starter.count_going(session.runs):
        raise RefusedError(
            HTTPStatus.CONFLICT,
            f"the session is in state {session.state} and its campaigns go on",
            remedy="wait for MAINTENANCE_DONE or MAINTENANCE_FAILED, or end its runs in Airflow first",
        )
    ledger.notices().delete_session(session.id)
    return {}


@router.get("/{sid}/detail", responses=describe_refusals())
def read_detail(sid: PathId, caller: AdminDep, ledger: LedgerDep) -> DetailAnswer:
    """Say how a session stands, with its nodes and instances."""
    session = find_listed(ledger, caller, sid)
    return DetailAnswer.model_validate(describe_session(ledger, session))


def find_session(ledger: Ledger, caller: Caller, session_id: str) -> MaintenanceSession:
    """Return a session of the cloud, one that is off the list too.

    :raises RefusedError: there is none.
    """
    session = ledger.notices().session(session_id)
    if session is None or session.cloud != caller.cloud:
        raise _no_session(session_id, caller.cloud)
    return session


def find_listed(ledger: Ledger, caller: Caller, session_id: str) -> MaintenanceSession:
    """Return a session of the cloud's list.

    :raises RefusedError: there is none, or it was deleted.
    """
    for session in ledger.notices().sessions(caller.cloud):
        if session.id == session_id:
            return session
    raise _no_session(session_id, caller.cloud)


def _no_session(session_id: str, cloud: str) -> RefusedError:
    return RefusedError(
        HTTPStatus.NOT_FOUND,
        f"cloud {cloud} has no maintenance session {session_id}",
        remedy="see GET /maintenance for those there are",
    )


def _answer(session: MaintenanceSession) -> SessionAnswer:
    return SessionAnswer(session_id=session.id, state=session.state)


def _refuse_too_many(ledger: Ledger, cloud: str) -> None:
    most = find_most_sessions()
    running = [session for session in ledger.notices().sessions(cloud) if not session.state.ended]
    if len(running) >= most:
        raise RefusedError(
            TOO_MANY_SESSIONS,
            f"{len(running)} sessions of cloud {cloud} have not ended, and {most} may be open",
            remedy="wait for one to end, or delete those whose campaigns are over",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The start of the campaigns of a session that was opened."""

    opened: MaintenanceSession
    caller: Caller
    ledger: Ledger
    means: Means

    def run(self, runs: Sequence[WantedRun]) -> None:
        """Start all of them; when none is started, nothing is left of the session on the list."""
        user = f"{self.caller.user} of {self.caller.cloud}"
        try:
            self.means.starter.start(runs, f"{RUN_ID_PREFIX}{self.opened.id}", user)
        except RefusedError:
            self._forget()
            raise
        except Exception as exc:
            if self._is_none_going():
                self._forget()
                raise
            raise RefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"Airflow does not say whether the campaigns of session {self.opened.id} were started",
                remedy="see GET /maintenance/<session>, and delete the session when nothing goes on",
            ) from exc

    def _forget(self) -> None:
        book = self.ledger.notices()
        book.set_session_state(self.opened.id, SessionState.MAINTENANCE_FAILED)
        book.delete_session(self.opened.id)

    def _is_none_going(self) -> bool:
        try:
            return self.means.starter.count_going(self.opened.runs) == 0
        except Exception:  # noqa: BLE001  whatever it is: it is not known
            return False
