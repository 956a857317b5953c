"""Keeps the managed projects from growing while nodes are out: scale locks, and frozen quotas.

Projects without a manager are left alone: nobody could tell their owners why.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from escalator.model.notice import Notice, NoticeEvent, NoticeState
from escalator.steps.running.context import CampaignContext
from escalator.vim_interface.desk import VimDesk
from escalator.vim_interface.scaling.quota_freeze import freeze_quotas, restore_quotas
from escalator.vim_interface.wire.payloads import is_known_to

log = logging.getLogger("escalator.steps.scaling")


def disable_scale_up(campaign: CampaignContext) -> tuple[str, ...]:
    """Lock scaling, and freeze the quotas of the projects that were told; a second run changes nothing.

    :return: what a person has to know: projects whose quotas cannot be frozen.
    """
    desk, book = campaign.desk, campaign.quotas
    if desk is None or book is None:
        return ()
    _tell(campaign, desk, NoticeState.SCALE_LOCK)
    projects = {record.notice.project_id for record in desk.find(NoticeState.MAINTENANCE)}
    plan = campaign.plan
    done = freeze_quotas(
        campaign.cloud.quotas, book, plan.request.cloud, plan.campaign, plan.run_id, projects
    )
    return _log(done.findings)


def restore_scale_up(campaign: CampaignContext) -> tuple[str, ...]:
    """Restore the quotas value for value and unlock scaling, whatever came between; a second run goes on.

    :return: what a person changed meanwhile: that stays.
    """
    plan, book = campaign.plan, campaign.quotas
    if book is None:
        return ()
    done = restore_quotas(campaign.cloud.quotas, book, plan.request.cloud, plan.campaign, plan.run_id)
    if campaign.desk is not None:
        _tell(campaign, campaign.desk, NoticeState.SCALE_UNLOCK)
    return _log(done.findings)


def _tell(campaign: CampaignContext, desk: VimDesk, state: NoticeState) -> None:
    knowing = {v.id for v in desk.managers().values() if is_known_to(v, NoticeEvent.SCHEDULED, state)}
    told = (record.notice for record in desk.find(NoticeState.MAINTENANCE))
    notices = [
        Notice(
            session_id=desk.session_id,
            vnfm=notice.vnfm,
            project_id=notice.project_id,
            state=state,
            instance_ids=notice.instance_ids,
        )
        for notice in told
        if notice.vnfm in knowing
    ]
    desk.tell(notices, campaign.clock())


def _log(findings: Sequence[str]) -> tuple[str, ...]:
    for finding in findings:
        log.warning("%s", finding)
    return tuple(findings)
