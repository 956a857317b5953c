"""Payloads of notices in the dialects of the managers. Pure.

The traps of the dialects: a client of dialect A crashes on a list in ``instance_ids``, one of dialect B on a
URL; in MAINTENANCE, SCALE_IN and MAINTENANCE_COMPLETE both read a URL.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from escalator.model.errors import InvalidRequestError
from escalator.model.notice import InstanceAction, Notice, NoticeEvent, NoticeRecord, NoticeState
from escalator.model.vnfm import ManagerRole, Vnfm, VnfmKind

SERVICE = "escalator"
TIME_FORM = "%Y-%m-%d %H:%M:%S"
"""Naive UTC: the clients compare and parse it so."""
ACTIONS = (InstanceAction.MIGRATE, InstanceAction.LIVE_MIGRATE, InstanceAction.OWN_ACTION)
"""Allowed actions of PLANNED_MAINTENANCE and PREPARE_MAINTENANCE; a client fails without MIGRATE."""

_ASKING = frozenset({NoticeState.PREPARE_MAINTENANCE, NoticeState.PLANNED_MAINTENANCE})
_WHOLE_PROJECT = frozenset({NoticeState.MAINTENANCE, NoticeState.SCALE_IN, NoticeState.MAINTENANCE_COMPLETE})
_FENIX_STATES = _WHOLE_PROJECT | _ASKING | {NoticeState.INSTANCE_ACTION_DONE}
_SCALING = frozenset({NoticeState.SCALE_LOCK, NoticeState.SCALE_UNLOCK})
_HOST_STATES = frozenset({NoticeState.IN_MAINTENANCE, NoticeState.MAINTENANCE_COMPLETE})


def is_known_to(vnfm: Vnfm, event: NoticeEvent, state: NoticeState) -> bool:
    """Tell whether a manager may be sent a notice of that state: unknown ones crash the clients.

    An NFVO is told of the infrastructure only, a VNFM of its instances only.
    """
    if (event is NoticeEvent.HOST) is not (vnfm.role is ManagerRole.NFVO):
        return False
    if state in _SCALING and not vnfm.scale_lock:
        return False
    return state in _states_of(vnfm.kind, event)


def make_payload(record: NoticeRecord, kind: VnfmKind, base_url: str) -> dict[str, Any]:
    """Make the payload of a notice, as its manager reads it.

    :param base_url: address of the cloud's API, such as ``http://airflow.example:8080/vim/prod/v1``.
    :raises InvalidRequestError: the dialect does not know the state, or the notice lacks what it needs.
    """
    notice = record.notice
    if notice.state not in _states_of(kind, notice.event):
        raise InvalidRequestError(
            f"a manager of kind {kind} does not know {notice.event} with state {notice.state}",
            remedy="send it what its kind knows",
        )
    if notice.event is NoticeEvent.HOST:
        return {
            "service": SERVICE,
            "project_id": notice.project_id,
            "session_id": notice.session_id,
            "host": notice.host or "",
            "state": str(notice.state),
        }
    actions = notice.allowed_actions or (ACTIONS if notice.state in _ASKING else ())
    return {
        "service": SERVICE,
        "project_id": notice.project_id,
        "instance_ids": _instance_ids(notice, kind, base_url),
        "allowed_actions": [str(action) for action in actions],
        "state": str(notice.state),
        "actions_at": _time(notice.actions_at),
        "reply_at": _time(notice.reply_at),
        "session_id": notice.session_id,
        "metadata": dict(notice.metadata),
        "reply_url": make_reply_url(notice, kind, base_url),
        **({"host": notice.host} if kind is VnfmKind.WEBHOOK else {}),
    }


def make_project_url(notice: Notice, base_url: str) -> str:
    """Return where a manager reads the servers that the state is about, and replies for its project."""
    session, project = quote(notice.session_id, safe=""), quote(notice.project_id, safe="")
    return f"{base_url.rstrip('/')}/maintenance/{session}/{project}"


def make_reply_url(notice: Notice, kind: VnfmKind, base_url: str) -> str:
    """Return where the reply goes: to the project, in dialect B to the one instance that is asked for."""
    url = make_project_url(notice, base_url)
    if kind is VnfmKind.FENIX_B and notice.state in _ASKING:
        return f"{url}/{quote(_one_instance(notice), safe='')}"
    return url


def _states_of(kind: VnfmKind, event: NoticeEvent) -> frozenset[NoticeState]:
    if event is NoticeEvent.HOST:
        return _HOST_STATES
    return _FENIX_STATES | _SCALING if kind is VnfmKind.WEBHOOK else _FENIX_STATES


def _instance_ids(notice: Notice, kind: VnfmKind, base_url: str) -> str | list[str]:
    if kind is VnfmKind.WEBHOOK:
        return [notice.instance_id] if notice.instance_id else list(notice.instance_ids)
    if notice.state in _WHOLE_PROJECT or (kind is VnfmKind.FENIX_A and notice.state in _ASKING):
        return make_project_url(notice, base_url)
    return [_one_instance(notice)]


def _one_instance(notice: Notice) -> str:
    ids = (notice.instance_id,) if notice.instance_id else notice.instance_ids
    if len(ids) != 1:
        raise InvalidRequestError(
            f"{notice.state} to {notice.vnfm} must be about one server, not {len(ids)}",
            remedy="queue one notice for each server",
        )
    return ids[0]


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime(TIME_FORM) if moment else None
