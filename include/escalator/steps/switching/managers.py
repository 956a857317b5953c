"""Asks the managers of a node's servers, and acts on what they answer. A second run finds what was asked."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime

from escalator.model.cloud import CloudSnapshot
from escalator.model.notice import NoticeRecord, NoticeState
from escalator.model.stops import ServerStop, StopEnd
from escalator.steps.running.context import StepContext
from escalator.steps.switching.found_switches import record_found_switchover
from escalator.steps.switching.own_means import OwnMeans
from escalator.upgrade_manager.state.lead_times import list_lead_seconds
from escalator.upgrade_manager.state.memberships import ACTIVE_STANDBY
from escalator.vim_interface.desk import VimDesk
from escalator.vim_interface.negotiation.asking import (
    Concern,
    make_done_notices,
    make_host_notices,
    make_node_notices,
)
from escalator.vim_interface.negotiation.judging import Judgement, judge_answers
from escalator.vim_interface.switching import SwitchGroup, fetch_service_addresses

log = logging.getLogger("escalator.steps.switchover")


def ask_managers(ctx: StepContext, desk: VimDesk) -> tuple[NoticeRecord, ...]:
    """Tell the managers of the node's servers what comes, once in this asking.

    :return: the notices that expect an answer; none when nobody manages a server here.
    """
    asking = _find_asking(ctx, desk)
    if not desk.find_asked(ctx.host, asking):
        snapshot = ctx.fetch_snapshot()
        concerns = desk.list_concerns(snapshot.servers_on(ctx.host))
        _remember_services(ctx, snapshot, concerns)  # before: who asks first, sees first
        notices = make_node_notices(
            concerns,
            session_id=desk.session_id,
            host=ctx.host,
            asking=asking,
            now=ctx.now(),
            bundle=ctx.plan.request.bundle,
            leads=list_lead_seconds(snapshot, snapshot.servers_on(ctx.host)),
            stops=ctx.facts.unmovable,
        )
        desk.ask(notices, ctx.now())
    _tell_of_host(ctx, desk, NoticeState.IN_MAINTENANCE, asking)
    return desk.find_asked(ctx.host, asking)


def judge(ctx: StepContext, desk: VimDesk, records: Iterable[NoticeRecord]) -> Judgement:
    """End the waiting and judge what was answered."""
    now = ctx.now()
    closed = desk.close(tuple(records), now)
    judgement = judge_answers(
        closed, desk.managers(), now=now, refused_since=find_first_refusals(desk, ctx.host)
    )
    for trouble in judgement.troubles:
        log.warning("%s: %s", ctx.host, trouble)
    return judgement


def find_first_refusals(desk: VimDesk, host: str) -> dict[str, datetime]:
    """Return when each manager refused a node first, in whatever asking."""
    first: dict[str, datetime] = {}
    for record in desk.find(NoticeState.PLANNED_MAINTENANCE, host):
        refused = record.reply is not None and not record.reply.ack
        if refused and record.replied_at is not None:
            known = first.get(record.notice.vnfm, record.replied_at)
            first[record.notice.vnfm] = min(known, record.replied_at)
    return first


def tell_of_done(ctx: StepContext) -> None:
    """Say INSTANCE_ACTION_DONE of the servers that were asked about, in whatever attempt.

    They were moved since, or stopped and started again. A second run tells nobody twice.
    """
    desk, asking, since = ctx.campaign.desk, ctx.facts.asked_round, ctx.facts.drain_started
    if desk is None or asking is None or since is None:
        return
    moved = {move.server_id for move in ctx.run.moves(ctx.host) if move.succeeded and move.ended_at >= since}
    moved |= {stop.server_id for stop in ctx.facts.stops if stop.end is StopEnd.RUNS and _is_of(stop, since)}
    asked = {i for r in desk.find_asked(ctx.host, asking) for i in r.notice.instance_ids} & moved
    servers = [server for one in sorted(asked) if (server := ctx.find_server(one)) is not None]
    if not servers:
        return
    notices = make_done_notices(
        desk.list_concerns(servers), session_id=desk.session_id, host=ctx.host, asking=asking, now=ctx.now()
    )
    desk.tell(notices, ctx.now())


def _is_of(stop: ServerStop, since: datetime) -> bool:
    return stop.ended_at is not None and stop.ended_at >= since


def tell_of_return(ctx: StepContext) -> None:
    """Tell those who look after the infrastructure that the node is back, and wait for no answer about it."""
    desk = ctx.campaign.desk
    if desk is not None:
        desk.close(desk.find(NoticeState.PLANNED_MAINTENANCE, ctx.host), ctx.now())
        _tell_of_host(ctx, desk, NoticeState.MAINTENANCE_COMPLETE, ctx.facts.asked_round or 0)


def _remember_services(ctx: StepContext, snapshot: CloudSnapshot, concerns: Sequence[Concern]) -> None:
    """Read where the services are of the groups that are asked about: a few calls a group."""
    asked = {server_id for concern in concerns for server_id in concern.server_ids}
    own, book = None, ctx.campaign.switches
    if book is not None:
        own = OwnMeans.of(ctx, snapshot, book)
    addresses: dict[str, str] = {}
    holders: dict[str, str] = {}
    for group in snapshot.ha_groups:
        if asked.isdisjoint(group.members):
            continue
        members = tuple(s for s in snapshot.servers if s.id in group.members)
        found = fetch_service_addresses(ctx.cloud.network, SwitchGroup(id=group.id, members=members)).holders
        addresses |= found
        holder = None
        if own is not None and group.mode == ACTIVE_STANDBY:
            holder = own.find_holder(group)
        if holder is None and len(set(found.values())) == 1:
            holder = next(iter(found.values()))
        if holder is not None:
            holders[group.id] = holder
            if book is not None:
                record_found_switchover(ctx, book, group, members, holder)
    ctx.remember(addresses=addresses, holders=holders)


def _tell_of_host(ctx: StepContext, desk: VimDesk, state: NoticeState, asking: int) -> None:
    notices = make_host_notices(desk.nfvos(), state, session_id=desk.session_id, host=ctx.host, asking=asking)
    desk.tell(notices, ctx.now())


def _find_asking(ctx: StepContext, desk: VimDesk) -> int:
    """Return which asking this is; a node that begins its life anew is asked about anew."""
    asking = ctx.facts.asked_round
    if asking is None:
        before = desk.find(NoticeState.PLANNED_MAINTENANCE, ctx.host)
        desk.close(before, ctx.now())  # nobody waits for these answers any more: what was not sent stays here
        asking = 1 + max((record.notice.round for record in before), default=-1)
        ctx.remember(asked_round=asking)
    return asking
