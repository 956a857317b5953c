"""Notes the switchovers that managers did: from the member that had the service to the one that has it now.

What can be seen counts before what is declared. A second run of the step finds them noted.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from escalator.model.cloud import HaGroup
from escalator.model.moves import Agreement
from escalator.model.notice import NoticeRecord
from escalator.model.switch import SwitchMethod, SwitchRecord
from escalator.steps.running.context import StepContext
from escalator.steps.switching.own_means import OwnMeans
from escalator.upgrade_manager.state.memberships import ACTIVE_STANDBY
from escalator.upgrade_manager.state.roles import ACTIVE
from escalator.vim_interface.switching import Seen, Verification
from escalator.vim_interface.switching.act import SwitchBookSide

log = logging.getLogger("escalator.steps.switchover")


def record_switchovers(
    ctx: StepContext,
    own: OwnMeans,
    book: SwitchBookSide,
    records: Iterable[NoticeRecord],
    agreement: Agreement,
    seen: Mapping[str, Verification | None],
) -> None:
    """Note for each active member whose manager agreed who took over from it.

    A member that acts itself is believed where nothing can be seen. One that is moved may take its role
    along: that it gave it away has to be seen.

    :param records: what was asked, with the answers.
    :param seen: what was seen of those that stay; None: there is nothing to look at.
    """
    for record in records:
        if record.reply is None or not record.reply.ack:
            continue
        for server_id in record.notice.instance_ids:
            group = own.group_of(server_id)
            if group is None or group.mode != ACTIVE_STANDBY or not _was_active(ctx, own, group, server_id):
                continue
            stays = server_id in agreement.stays
            found = seen.get(server_id) if stays else own.verify(server_id, looks=1)
            if _is_done(found, stays=stays):
                _note(ctx, book, record, group, server_id, _find_taker(own, group, server_id, found))


def _was_active(ctx: StepContext, own: OwnMeans, group: HaGroup, server_id: str) -> bool:
    """Tell whether a member had the service when its manager was asked."""
    holder = (ctx.facts.holders or {}).get(group.id)
    return own.role_of(server_id) == ACTIVE if holder is None else holder == server_id


def _is_done(found: Verification | None, *, stays: bool) -> bool:
    if stays:
        return found is None or found.seen is not Seen.THERE
    return found is not None and found.seen is Seen.LEFT


class _Taker(NamedTuple):
    """Who has the service now, whether that was seen, and words for it."""

    server: str | None
    verified: bool
    words: str


def _find_taker(own: OwnMeans, group: HaGroup, server_id: str, found: Verification | None) -> _Taker:
    if found is not None and found.seen is Seen.LEFT:
        holders = sorted((found.holders & set(group.members)) - {server_id})
        if holders:
            return _Taker(holders[0], verified=True, words=found.words)
    choice = own.choose(group, server_id)
    if choice.server is None:
        words = f"its manager says so, and nobody can have taken over: {'; '.join(choice.reasons)}"
        return _Taker(None, verified=False, words=words)
    words = f"its manager says so; who took over cannot be seen, {choice.server.name} is taken for it"
    return _Taker(choice.server.id, verified=False, words=words)


def _note(
    ctx: StepContext,
    book: SwitchBookSide,
    asked: NoticeRecord,
    group: HaGroup,
    from_server: str,
    taker: _Taker,
) -> None:
    now = ctx.now()
    record = SwitchRecord(
        campaign=ctx.plan.campaign,
        run_id=ctx.plan.run_id,
        host=ctx.host,
        group=group.id,
        method=SwitchMethod.VNFM,
        from_server=from_server,
        to_server=taker.server,
        begun_at=now,
        ended_at=now,
        verified=taker.verified,
        message=taker.words,
    )
    if book.note(record, asked.replied_at or now):
        log.info("%s: group %s: %s switched over: %s", ctx.host, group.id, asked.notice.vnfm, taker.words)
