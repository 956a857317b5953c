"""Whom a node or a session concerns, and the notices that they get."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from escalator.model.cloud import Server
from escalator.model.notice import InstanceAction, Notice, NoticeEvent, NoticeState
from escalator.model.vnfm import ManagerRole, Vnfm, VnfmKind

AT_ONCE = timedelta(seconds=1)
"""Between the last moment for a reply and the first for the action."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """The servers of one project that one manager manages, sorted by their ids."""

    vnfm: Vnfm
    project_id: str
    server_ids: tuple[str, ...]


def list_concerns(
    servers: Iterable[Server], manager_of: Callable[[Server], Vnfm | None]
) -> tuple[Concern, ...]:
    """Return whom servers concern: managers in the order of their ids, of each its projects.

    :param manager_of: says who manages a server; None: nobody. An NFVO is asked for nothing.
    """
    found: dict[tuple[str, str], tuple[Vnfm, list[str]]] = {}
    for server in servers:
        vnfm = None if server.on_no_node else manager_of(server)
        if vnfm is not None and vnfm.role is ManagerRole.VNFM:
            found.setdefault((vnfm.id, server.project_id), (vnfm, []))[1].append(server.id)
    return tuple(
        Concern(vnfm=vnfm, project_id=project, server_ids=tuple(sorted(ids)))
        for (_, project), (vnfm, ids) in sorted(found.items(), key=lambda item: item[0])
    )


def make_node_notices(
    concerns: Sequence[Concern], *, session_id: str, host: str, asking: int, now: datetime, bundle: str
) -> tuple[Notice, ...]:
    """Make PLANNED_MAINTENANCE of a node: one a project, or one a server in dialect B.

    :param asking: how often this was asked before.
    :param bundle: what comes; it is told in the metadata.
    """
    return tuple(
        Notice(
            session_id=session_id,
            vnfm=concern.vnfm.id,
            project_id=concern.project_id,
            state=NoticeState.PLANNED_MAINTENANCE,
            host=host,
            instance_ids=ids,
            instance_id=one,
            round=asking,
            allowed_actions=tuple(InstanceAction),
            reply_at=now + timedelta(seconds=concern.vnfm.reply_seconds),
            actions_at=now + timedelta(seconds=concern.vnfm.reply_seconds) + AT_ONCE,
            metadata={"bundle": bundle},
        )
        for concern in concerns
        for ids, one in _about(concern)
    )


def make_session_notices(
    concerns: Sequence[Concern],
    state: NoticeState,
    *,
    session_id: str,
    now: datetime,
    lead_seconds: float = 0.0,
    bundle: str = "",
    turn: int = 0,
) -> tuple[Notice, ...]:
    """Make a notice about the whole session for every project.

    :param turn: which run of the session tells it.
    :param lead_seconds: between the notice and the first impact.
    """
    return tuple(
        Notice(
            session_id=session_id,
            vnfm=concern.vnfm.id,
            project_id=concern.project_id,
            state=state,
            instance_ids=concern.server_ids,
            round=turn,
            reply_at=now + timedelta(seconds=concern.vnfm.session_reply_seconds),
            actions_at=now
            + max(
                timedelta(seconds=concern.vnfm.session_reply_seconds) + AT_ONCE,
                timedelta(seconds=lead_seconds),
            ),
            metadata={"bundle": bundle} if bundle else {},
        )
        for concern in concerns
    )


def make_done_notices(
    concerns: Sequence[Concern], *, session_id: str, host: str, asking: int, now: datetime
) -> tuple[Notice, ...]:
    """Make INSTANCE_ACTION_DONE, one a server: it was moved. Nobody replies to it."""
    return tuple(
        Notice(
            session_id=session_id,
            vnfm=concern.vnfm.id,
            project_id=concern.project_id,
            state=NoticeState.INSTANCE_ACTION_DONE,
            host=host,
            instance_ids=(server_id,),
            instance_id=server_id,
            round=asking,
            actions_at=now,
        )
        for concern in concerns
        for server_id in concern.server_ids
    )


def make_host_notices(
    nfvos: Iterable[Vnfm], state: NoticeState, *, session_id: str, host: str, asking: int
) -> tuple[Notice, ...]:
    """Make ``maintenance.host`` for those who look after the infrastructure, one a project of theirs."""
    return tuple(
        Notice(
            session_id=session_id,
            vnfm=nfvo.id,
            project_id=project,
            state=state,
            event=NoticeEvent.HOST,
            host=host,
            round=asking,
        )
        for nfvo in nfvos
        for project in nfvo.projects
    )


def _about(concern: Concern) -> list[tuple[tuple[str, ...], str | None]]:
    """Return what the notices are about: all servers at once, or one by one."""
    if concern.vnfm.kind is VnfmKind.FENIX_B:
        return [((server_id,), server_id) for server_id in concern.server_ids]
    return [(concern.server_ids, None)]
