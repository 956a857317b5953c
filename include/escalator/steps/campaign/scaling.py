"""Keeps the managed projects from growing while nodes are out: scale locks, and frozen quotas.

Projects without a manager are left alone: nobody could tell their owners why.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from escalator.ledger.records import Document
from escalator.model.notice import Notice, NoticeEvent, NoticeRecord, NoticeState
from escalator.steps.running.context import CampaignContext
from escalator.vim_interface.desk import VimDesk
from escalator.vim_interface.scaling.quota_freeze import Frozen, freeze_quotas, restore_quotas
from escalator.vim_interface.wire.payloads import is_known_to

log = logging.getLogger("escalator.steps.scaling")

FREEZE, RESTORE = "freeze", "restore"
"""The parts of the document of what was found: id of a project -> words."""


def disable_scale_up(campaign: CampaignContext) -> tuple[str, ...]:
    """Lock scaling, and freeze the quotas of the projects that were told; a second run changes nothing.

    :return: what a person has to know: projects whose quotas cannot be frozen.
    """
    desk, book = campaign.desk, campaign.quotas
    if desk is None or book is None:
        return ()
    told = desk.find_told()
    _tell(campaign, desk, told, NoticeState.SCALE_LOCK)
    projects = {record.notice.project_id for record in told}
    plan = campaign.plan
    done = freeze_quotas(
        campaign.cloud.quotas, book, plan.request.cloud, plan.campaign, plan.run_id, projects
    )
    return _record(campaign, FREEZE, done)


def restore_scale_up(campaign: CampaignContext) -> tuple[str, ...]:
    """Restore the quotas value for value and unlock scaling, whatever came between; a second run goes on.

    Projects that another run keeps from growing still are left to it.

    :return: what a person changed meanwhile: that stays.
    """
    plan, book = campaign.plan, campaign.quotas
    if book is None:
        return ()
    cloud, run = plan.request.cloud, (plan.campaign, plan.run_id)
    done = restore_quotas(campaign.cloud.quotas, book, cloud, *run, find_life=campaign.find_life)
    desk = campaign.desk
    if desk is not None:
        free = [r for r in desk.find_told() if not book.find_others(cloud, r.notice.project_id, *run)]
        _tell(campaign, desk, free, NoticeState.SCALE_UNLOCK)
    return _record(campaign, RESTORE, done)


def _tell(campaign: CampaignContext, desk: VimDesk, told: Sequence[NoticeRecord], state: NoticeState) -> None:
    knowing = {v.id for v in desk.managers().values() if is_known_to(v, NoticeEvent.SCHEDULED, state)}
    notices = [
        Notice(
            session_id=desk.session_id,
            vnfm=record.notice.vnfm,
            project_id=record.notice.project_id,
            state=state,
            instance_ids=record.notice.instance_ids,
            round=record.notice.round,
        )
        for record in told
        if record.notice.vnfm in knowing
    ]
    desk.tell(notices, campaign.clock())


def _record(campaign: CampaignContext, part: str, done: Frozen) -> tuple[str, ...]:
    """Keep what was found for the report: of each project the last word; and log it."""
    if done.by_project:
        known = campaign.run.document(Document.SCALING) or {}
        words = {project: list(found) for project, found in done.by_project.items()}
        campaign.run.set_document(Document.SCALING, {**known, part: {**known.get(part, {}), **words}})
    for finding in done.findings:
        log.warning("%s", finding)
    return done.findings
