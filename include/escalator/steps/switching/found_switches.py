"""Notes a switchover that nobody here did, or heard of in time: the service is seen at another member.

A VNF may fail over by itself, and a manager may switch after its deadline. What the run knows of the roles
has to follow, or the next switchover would begin at a member that does not have the service.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from escalator.model.cloud import HaGroup, Server
from escalator.model.switch import SwitchMethod, SwitchRecord
from escalator.steps.running.context import StepContext
from escalator.upgrade_manager.state.memberships import ACTIVE_STANDBY
from escalator.upgrade_manager.state.roles import ACTIVE
from escalator.vim_interface.switching.act import SwitchBookSide

log = logging.getLogger("escalator.steps.switchover")


def record_found_switchover(
    ctx: StepContext, book: SwitchBookSide, group: HaGroup, servers: Iterable[Server], holder: str
) -> None:
    """Note that the service of an active-standby pair is at another member than the run knew of.

    A switchover of ours that was begun and has not ended explains it: that one is finished instead.

    :param servers: of the cloud, with the roles as the switchovers of the run have left them.
    :param holder: id of the member that is seen to have the service.
    """
    members = {s.id: s for s in servers if s.id in group.members}
    actives = [s for s in members.values() if s.ha_role == ACTIVE]
    if group.mode != ACTIVE_STANDBY or len(actives) != 1 or actives[0].id == holder:
        return
    before = actives[0]
    if any(r.group == group.id and r.ended_at is None for r in ctx.campaign.find_switches()):
        return
    now = ctx.now()
    there = members[holder].name if holder in members else holder
    words = f"its service was found at {there}, not at {before.name}: no switchover was told here in time"
    record = SwitchRecord(
        campaign=ctx.plan.campaign,
        run_id=ctx.plan.run_id,
        host=before.host or ctx.host,
        group=group.id,
        method=SwitchMethod.FOUND,
        from_server=before.id,
        to_server=holder,
        begun_at=now,
        ended_at=now,
        verified=True,
        message=words,
    )
    if book.note(record, now):
        log.warning("%s: HA group %s: %s", ctx.host, group.id, words)
