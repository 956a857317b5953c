"""Announce: tell the managers of the servers what comes before the first node goes, and that it is over."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from escalator.model.cloud import CloudSnapshot, Server
from escalator.model.errors import InvalidRequestError
from escalator.model.maintenance_session import SessionState
from escalator.model.notice import NoticeRecord, NoticeState
from escalator.model.verdict import Code
from escalator.model.vnfm import OnSilence
from escalator.steps.running.context import CampaignContext
from escalator.vim_interface.desk import VimDesk, find_last_reply_time
from escalator.vim_interface.negotiation.asking import make_session_notices

log = logging.getLogger("escalator.steps.announce")


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """How far a notice to all projects has got.

    :ivar waits: who has not answered yet; empty: nothing is waited for.
    :ivar findings: who was silent or refused, in words.
    """

    told: int
    waits: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


def announce(campaign: CampaignContext) -> Announcement:
    """Tell MAINTENANCE to every project with servers on the campaign's nodes.

    A second run finds what was told. A refusal or a silence here holds nobody up: its nodes are asked for one
    by one later, and the policy counts there.

    :raises InvalidRequestError: a manager whose silence fails the campaign was silent.
    """
    desk = campaign.desk
    if desk is None or campaign.plan.request.dry_run:
        return Announcement(told=0)
    now = campaign.clock()
    desk.ensure_open(now)
    records = desk.find(NoticeState.MAINTENANCE)
    if not records:
        records = _tell_all(campaign, desk)
    waits = _find_waiting(records, campaign)
    if waits:
        return Announcement(told=len(records), waits=waits)
    closed = desk.close(records, now)
    findings = _judge(desk, closed)
    desk.notices.set_session_state(desk.session_id, SessionState.START_MAINTENANCE)
    return Announcement(told=len(closed), findings=findings)


def conclude_session(campaign: CampaignContext, *, done: bool) -> Announcement:
    """Tell MAINTENANCE_COMPLETE to every project that was told, and wait for those that answered then.

    Of several runs of a session the last one tells it; a session of which one run failed has failed.

    :param done: the campaign ended as it should.
    """
    desk = campaign.desk
    session = desk.notices.session(desk.session_id) if desk is not None else None
    if desk is None or session is None:
        return Announcement(told=0)
    failed = not done or session.state is SessionState.MAINTENANCE_FAILED
    if not all(desk.is_run_over(*run) for run in session.runs if run != desk.run):
        if failed:
            desk.notices.set_session_state(desk.session_id, SessionState.MAINTENANCE_FAILED)
        return Announcement(told=0)
    records = desk.find(NoticeState.MAINTENANCE_COMPLETE) or _tell_end(campaign, desk)
    waits = _find_waiting(records, campaign)
    if not waits:
        desk.close(records, campaign.clock())
        state = SessionState.MAINTENANCE_FAILED if failed else SessionState.MAINTENANCE_DONE
        desk.notices.set_session_state(desk.session_id, state)
    return Announcement(told=len(records), waits=waits)


def _tell_all(campaign: CampaignContext, desk: VimDesk) -> tuple[NoticeRecord, ...]:
    if not desk.managers():
        return ()
    snapshot = campaign.fetch_snapshot()
    servers = [s for host in campaign.plan.hosts for s in snapshot.servers_on(host)]
    notices = make_session_notices(
        desk.list_concerns(servers),
        NoticeState.MAINTENANCE,
        session_id=desk.session_id,
        now=campaign.clock(),
        lead_seconds=_find_lead(snapshot, servers),
        bundle=campaign.plan.request.bundle,
    )
    return desk.ask(notices, campaign.clock())


def _tell_end(campaign: CampaignContext, desk: VimDesk) -> tuple[NoticeRecord, ...]:
    """Tell the end to all who were told of the beginning; those that answered then are to answer."""
    now, managers = campaign.clock(), desk.managers()
    notices = []
    for record in desk.find(NoticeState.MAINTENANCE):
        vnfm = managers.get(record.notice.vnfm)
        if vnfm is not None:
            reply_at = now + timedelta(seconds=vnfm.session_reply_seconds) if record.reply else None
            end = replace(
                record.notice, state=NoticeState.MAINTENANCE_COMPLETE, actions_at=now, reply_at=reply_at
            )
            notices.append(end)
    desk.tell(notices, now)
    return desk.find(NoticeState.MAINTENANCE_COMPLETE)


def _find_waiting(records: Sequence[NoticeRecord], campaign: CampaignContext) -> tuple[str, ...]:
    now = campaign.clock()
    if find_last_reply_time(records, now) is None:
        return ()
    return tuple(sorted({r.notice.vnfm for r in records if not r.is_settled(now)}))


def _find_lead(snapshot: CloudSnapshot, servers: Sequence[Server]) -> float:
    """Return the longest lead time that a group with such a member is given (s)."""
    groups = {server.ha_group for server in servers}
    return max((group.lead_seconds for group in snapshot.ha_groups if group.id in groups), default=0.0)


def _judge(desk: VimDesk, records: Sequence[NoticeRecord]) -> tuple[str, ...]:
    managers = desk.managers()
    findings: list[str] = []
    for record in records:
        notice, reply, vnfm = record.notice, record.reply, managers.get(record.notice.vnfm)
        who = f"VNF manager {notice.vnfm} (project {notice.project_id})"
        if reply is None and vnfm is not None and vnfm.on_silence is OnSilence.FAIL:
            raise InvalidRequestError(
                f"{who} did not answer {notice.state}, and its policy is to fail then",
                remedy="bring the manager back, or change on_silence in vnfms.yaml; nothing was changed",
                code=Code.VNF_SILENT,
            )
        if reply is None:
            findings.append(f"[{Code.VNF_SILENT}] {who} did not answer {notice.state}")
        elif not reply.ack:
            findings.append(f"[{Code.VNF_REFUSED}] {who} refused {notice.state}")
    for finding in findings:
        log.warning("%s", finding)
    return tuple(findings)
