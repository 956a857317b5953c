"""Whom a node or a session concerns, and the notices that they get."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from escalator.model.cloud import Server
from escalator.model.notice import InstanceAction, Notice, NoticeEvent, NoticeState
from escalator.model.vnfm import LONGEST_REPLY_SECONDS, ManagerRole, Vnfm, VnfmKind

AT_ONCE = timedelta(seconds=1)
"""Between the last moment for a reply and the first for the action."""
STOPPED = "stopped_instances"
"""Key of a notice's metadata: ids, with commas, of the servers that are stopped and started again."""
NO_LEADS: Mapping[str, float] = MappingProxyType({})


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
    concerns: Sequence[Concern],
    *,
    session_id: str,
    host: str,
    asking: int,
    now: datetime,
    bundle: str,
    leads: Mapping[str, float] = NO_LEADS,
    stops: Collection[str] = (),
) -> tuple[Notice, ...]:
    """Make PLANNED_MAINTENANCE of a node: one a project, or one a server in dialect B.

    A manager may take the lead time of its servers to get ready, where that is longer than what it is given
    to answer, within bounds.

    :param asking: how often this was asked before.
    :param bundle: what comes; it is told in the metadata.
    :param leads: server id -> its lead time (s), of those that have one.
    :param stops: servers that cannot be moved: they are stopped and started again, and the metadata says so.
    """

    def reply_at(concern: Concern, ids: Sequence[str]) -> datetime:
        lead = min(_find_lead(leads, ids), LONGEST_REPLY_SECONDS)
        return now + timedelta(seconds=max(concern.vnfm.reply_seconds, lead))

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
            reply_at=reply_at(concern, ids),
            actions_at=reply_at(concern, ids) + AT_ONCE,
            metadata={"bundle": bundle, **_name_stops(ids, stops)},
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
    leads: Mapping[str, float] = NO_LEADS,
    not_before: datetime | None = None,
    asking: int = 0,
    bundle: str = "",
) -> tuple[Notice, ...]:
    """Make a notice about the whole session for every project.

    :param leads: server id -> its lead time (s), of those that have one.
    :param not_before: the moment that the session was asked for; None: as soon as may be.
    :param asking: round of the notices.
    """

    def actions_at(concern: Concern) -> datetime:
        answered = now + timedelta(seconds=concern.vnfm.session_reply_seconds) + AT_ONCE
        led = now + timedelta(seconds=_find_lead(leads, concern.server_ids))
        return max(answered, led, not_before or now)

    return tuple(
        Notice(
            session_id=session_id,
            vnfm=concern.vnfm.id,
            project_id=concern.project_id,
            state=state,
            instance_ids=concern.server_ids,
            round=asking,
            reply_at=now + timedelta(seconds=concern.vnfm.session_reply_seconds),
            actions_at=actions_at(concern),
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


def _name_stops(ids: Iterable[str], stops: Collection[str]) -> dict[str, str]:
    """Return what the metadata says of servers that will be stopped."""
    stopped = ",".join(sorted(set(ids) & set(stops)))
    return {STOPPED: stopped} if stopped else {}


def _find_lead(leads: Mapping[str, float], server_ids: Iterable[str]) -> float:
    return max((leads.get(server_id, 0.0) for server_id in server_ids), default=0.0)


def _about(concern: Concern) -> list[tuple[tuple[str, ...], str | None]]:
    """Return what the notices are about: all servers at once, or one by one."""
    if concern.vnfm.kind is VnfmKind.FENIX_B:
        return [((server_id,), server_id) for server_id in concern.server_ids]
    return [(concern.server_ids, None)]
