"""Announce: tell the managers of the servers what comes before the first node goes, and that it is over."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from escalator.model.errors import InvalidRequestError
from escalator.model.maintenance_session import MaintenanceSession, SessionState
from escalator.model.notice import Notice, NoticeRecord, NoticeState
from escalator.model.run_life import FindLife
from escalator.model.verdict import Code
from escalator.model.vnfm import OnSilence
from escalator.steps.campaign.scale_in import ask_to_scale_in
from escalator.steps.running.context import CampaignContext
from escalator.upgrade_manager.state.lead_times import list_lead_seconds
from escalator.vim_interface.desk import VimDesk, list_waiting
from escalator.vim_interface.negotiation.asking import make_session_notices

log = logging.getLogger("escalator.steps.announce")

_END = NoticeState.MAINTENANCE_COMPLETE


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """How far a notice to all projects has got.

    :ivar waits: who has not answered yet; empty: nobody is waited for.
    :ivar not_before: the moment that is waited for (aware); None: none.
    :ivar findings: who was silent or refused, in words.
    """

    told: int
    waits: tuple[str, ...] = ()
    not_before: datetime | None = None
    findings: tuple[str, ...] = ()


def announce(campaign: CampaignContext) -> Announcement:
    """Tell MAINTENANCE to every project with servers on the campaign's nodes, and wait for their answers.

    Then the moment is waited for that the session was asked for, if it names one: no node is touched before.
    Where the domain lacks room that VNFs can give, their managers are asked to scale in at last. In a dry run
    nobody is told.
    A second run finds what was told. A refusal or a silence here holds nobody up: its nodes are asked for one
    by one later, and the policy counts there.

    :raises InvalidRequestError: a manager whose silence fails the campaign was silent.
    """
    desk = campaign.desk
    if desk is None or campaign.plan.request.dry_run:
        return Announcement(told=0)
    now = campaign.clock()
    session = desk.ensure_open(now)
    desk.notices.begin_run(desk.session_id, desk.run)
    records = desk.find_own(NoticeState.MAINTENANCE, session) or _tell_all(campaign, desk, session)
    waits = list_waiting(records, campaign.clock())
    if waits:
        return Announcement(told=len(records), waits=waits)
    closed = desk.close(records, now)
    findings = _judge(desk, closed)
    if session.not_before is not None and now < session.not_before:
        return Announcement(told=len(closed), not_before=session.not_before, findings=findings)
    scaling = ask_to_scale_in(campaign, desk, session)
    if scaling.waits:
        return Announcement(told=len(closed), waits=scaling.waits, findings=findings)
    findings += _judge(desk, scaling.records) + ((scaling.finding,) if scaling.finding else ())
    desk.notices.set_session_state(desk.session_id, SessionState.START_MAINTENANCE)
    return Announcement(told=len(closed), findings=findings)


def conclude_session(campaign: CampaignContext, *, done: bool) -> Announcement:
    """Say that the run of a campaign has ended, as :func:`end_session`.

    :param done: the campaign ended as it should.
    """
    if campaign.desk is None:
        return Announcement(told=0)
    return end_session(campaign.desk, campaign.clock(), campaign.find_life, failed=not done)


def end_session(
    desk: VimDesk, now: datetime, find_life: FindLife, *, failed: bool, asks: bool = True
) -> Announcement:
    """Tell MAINTENANCE_COMPLETE to every project that was told, and wait for those that answered then.

    Of several runs of a session the last one tells it: the others have said that they ended, or Airflow says
    that they are over. A session of which one run failed, or never said how it ended, has failed.

    :param find_life: says whether another run lives.
    :param asks: those that answered at the beginning are to answer.
    """
    session = desk.notices.end_run(desk.session_id, desk.run, failed=failed)
    if session is None:
        return Announcement(told=0)
    silent = [run for run in session.runs if run not in session.ended]
    if not all(find_life(*run).is_over for run in silent):
        return Announcement(told=0)
    records = _tell_end(desk, now, asks=asks)
    waits = list_waiting(records, now)
    if not waits:
        desk.close(records, now)
        one_failed = bool(silent) or any(session.ended.values())
        state = SessionState.MAINTENANCE_FAILED if one_failed else SessionState.MAINTENANCE_DONE
        desk.notices.set_session_state(desk.session_id, state)
    return Announcement(told=len(records), waits=waits)


def _tell_all(
    campaign: CampaignContext, desk: VimDesk, session: MaintenanceSession
) -> tuple[NoticeRecord, ...]:
    if not desk.managers():
        return ()
    snapshot = campaign.fetch_snapshot()
    servers = [s for host in campaign.plan.hosts for s in snapshot.servers_on(host)]
    notices = make_session_notices(
        desk.list_concerns(servers),
        NoticeState.MAINTENANCE,
        session_id=desk.session_id,
        now=campaign.clock(),
        leads=list_lead_seconds(snapshot, servers),
        not_before=session.not_before,
        asking=desk.find_round(session),
        bundle=campaign.plan.request.bundle,
    )
    return desk.ask(notices, campaign.clock())


def _tell_end(desk: VimDesk, now: datetime, *, asks: bool) -> tuple[NoticeRecord, ...]:
    """Tell the end to all who were told of the beginning, by whatever run; who answered then is to answer.

    It is told once of all their servers. Who was asked to scale in may scale out again then.
    """
    managers, known = desk.managers(), {record.notice.key for record in desk.find(_END)}
    told: dict[tuple[str, str], list[NoticeRecord]] = {}
    for record in (*desk.find(NoticeState.MAINTENANCE), *desk.find(NoticeState.SCALE_IN)):
        told.setdefault((record.notice.vnfm, record.notice.project_id), []).append(record)
    notices: list[Notice] = []
    for (name, _), records in told.items():
        vnfm = managers.get(name)
        if vnfm is None:
            continue
        answers = asks and any(record.reply for record in records)
        end = replace(
            records[0].notice,
            state=_END,
            instance_ids=tuple(sorted({i for record in records for i in record.notice.instance_ids})),
            round=0,
            actions_at=now,
            reply_at=now + timedelta(seconds=vnfm.session_reply_seconds) if answers else None,
        )
        if end.key not in known:
            notices.append(end)
    desk.tell(notices, now)
    return desk.find(_END)


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
