"""Switchover: let VNFs move their own service first. What nobody switches away goes on to migrate.

The managers of the node's servers are told and asked; the step waits for their answers, never past the
deadline, and each policy says what a silence or a refusal means. A second run finds what was asked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from escalator.model.campaign import NodeState
from escalator.model.cloud import CloudSnapshot
from escalator.model.moves import NO_AGREEMENT, Agreement, DrainPlan
from escalator.model.node_facts import PersonWord
from escalator.model.notice import Notice, NoticeRecord
from escalator.model.step import Outcome
from escalator.model.verdict import Code, Verdict, find_blockers
from escalator.model.vnfm import OnNack, OnSilence
from escalator.steps.moving.planning import plan_node_drain
from escalator.steps.running.context import StepContext
from escalator.steps.running.results import StepResult
from escalator.steps.stopping.rule import describe_staying
from escalator.steps.switching.manager_switches import record_switchovers
from escalator.steps.switching.managers import ask_managers, judge
from escalator.steps.switching.own_means import OwnMeans, Switched
from escalator.steps.switching.standby_moves import settle_standby_move
from escalator.upgrade_manager.drain.prechecks import check_servers
from escalator.vim_interface.desk import find_last_reply_time
from escalator.vim_interface.negotiation.judging import Judgement, Trouble
from escalator.vim_interface.switching import Seen, Verification
from escalator.vim_interface.switching.act import SwitchBookSide

log = logging.getLogger("escalator.steps.switchover")


def switchover(ctx: StepContext) -> StepResult:
    """Ask the managers of the node's servers, wait for their answers, and plan the drain by them."""
    ctx.ensure_leased()
    settle_standby_move(ctx)
    desk = ctx.campaign.desk
    records = ask_managers(ctx, desk) if desk is not None else ()
    until = find_last_reply_time(records, ctx.now())
    if until is not None:
        waiting = sorted({r.notice.vnfm for r in records if not r.is_settled(ctx.now())})
        message = f"waits for the answer of {', '.join(waiting)}, until {until:%H:%M:%S} UTC"
        return StepResult(outcome=Outcome.WAITING, message=message)
    if not records and ctx.campaign.find_means is None:
        return _leave_to_migrate(ctx)
    judgement = judge(ctx, desk, records) if desk is not None else Judgement(agreement=NO_AGREEMENT)
    refusals = judgement.having(OnNack.ASK_AGAIN)
    snapshot, book = ctx.fetch_snapshot(), ctx.campaign.switches
    own = None
    if book is not None:
        own = OwnMeans.of(ctx, snapshot, book)
        judgement = _look(ctx, own, book, judgement, records)
    if refusals and ctx.facts.person_word is not PersonWord.MOVE:
        return _give_way(ctx, refusals)
    return _act_on(ctx, judgement, records, snapshot, own)


def _look(
    ctx: StepContext,
    own: OwnMeans,
    book: SwitchBookSide,
    judgement: Judgement,
    records: Sequence[NoticeRecord],
) -> Judgement:
    """See what the managers did, note it, and believe no one more than what is seen.

    Those who agreed have acted, whether the node goes on or gives way for those who refused.
    """
    asked = {i: record.notice for record in records for i in record.notice.instance_ids}
    seen = {server_id: own.verify(server_id) for server_id in judgement.agreement.stays}
    judgement = _doubt(ctx, judgement, seen, asked)
    record_switchovers(ctx, own, book, records, judgement.agreement, seen)
    return judgement


def _act_on(
    ctx: StepContext,
    judgement: Judgement,
    records: Sequence[NoticeRecord],
    snapshot: CloudSnapshot,
    own: OwnMeans | None,
) -> StepResult:
    """Hold or fail the node when a policy says so, else plan its drain by what was agreed and switched."""
    asked = {i for record in records for i in record.notice.instance_ids}
    switched = Switched()
    for policies, outcome in _ENDS:
        found = judgement.having(*policies)
        if found:
            message = "; ".join(map(str, found))
            return StepResult(outcome=outcome, code=found[0].code, message=message, details=_tell(judgement))
    if own is not None:
        switched = own.switch(asked=asked)
        if own.moves.moved:
            snapshot = ctx.fetch_snapshot()
    agreement = _join(judgement.agreement, switched)
    plan = _plan_by(ctx, snapshot, agreement)
    failed = () if own is None else tuple(v for v in own.moves.skipped if isinstance(v, Verdict))
    troubles: tuple[Trouble | Verdict, ...] = (*judgement.troubles, *switched.findings, *failed)
    details = {
        "stays": list(agreement.stays),
        "leaves": list(agreement.leaves),
        "troubles": _list_troubles(troubles),
    }
    if own is not None:
        details["standbys_moved"] = [record.server_id for record in own.moves.moved]
        details["standbys_not_moved"] = [str(why) for why in own.moves.skipped]
    blocking = (*switched.blockers, *find_blockers(plan.verdicts))
    if blocking:
        message = f"{len(blocking)} blocker(s) after the switchover: " + "; ".join(map(str, blocking))
        return StepResult(outcome=Outcome.HELD, code=blocking[0].code, message=message, details=details)
    ctx.remember(drain_plan=plan, agreement=agreement)
    said = "".join(f"; {trouble}" for trouble in troubles)
    message = f"{len(agreement.stays)} server(s) stay as agreed, {len(plan.moves)} to move{said}"
    return StepResult(message=message, details=details)


_ENDS = (
    ((OnSilence.FAIL,), Outcome.FAILED),
    ((OnSilence.HOLD,), Outcome.HELD),
)


def _doubt(
    ctx: StepContext,
    judgement: Judgement,
    seen: Mapping[str, Verification | None],
    asked: Mapping[str, Notice],
) -> Judgement:
    """Believe no manager who says that a server is free while its service is seen to be there."""
    desk = ctx.campaign.desk
    managers = desk.managers() if desk is not None else {}
    lies: list[Trouble] = []
    untrue: set[str] = set()
    for server_id, found in seen.items():
        if found is not None and found.seen is Seen.THERE:
            if not _is_here(ctx, server_id):
                continue  # its manager took it away, with its service
            notice = asked[server_id]
            untrue.add(server_id)
            lies.append(
                Trouble(
                    code=Code.VNF_UNTRUE,
                    policy=managers[notice.vnfm].on_silence,
                    vnfm=notice.vnfm,
                    project_id=notice.project_id,
                    message=f"VNF manager {notice.vnfm} says that {server_id} is free: {found.words}",
                )
            )
    for lie in lies:
        log.warning("%s: %s", ctx.host, lie)
    agreed = judgement.agreement
    stays = tuple(i for i in agreed.stays if i not in untrue)
    agreement = replace(agreed, stays=stays, leaves=tuple(sorted({*agreed.leaves, *untrue})))
    return Judgement(agreement=agreement, troubles=(*judgement.troubles, *lies))


def _is_here(ctx: StepContext, server_id: str) -> bool:
    server = ctx.find_server(server_id)
    return server is not None and server.host == ctx.host


def _join(agreement: Agreement, switched: Switched) -> Agreement:
    return replace(
        agreement,
        stays=tuple(sorted({*agreement.stays, *switched.stays})),
        leaves=tuple(sorted({*agreement.leaves, *switched.leaves})),
    )


def _give_way(ctx: StepContext, refusals: Sequence[Trouble]) -> StepResult:
    """Let the others go first: the node is given back, and asked for again at the end."""
    message = "; ".join(map(str, refusals))
    ctx.remember(refused_at=ctx.now(), person_word=None)
    ctx.progress(NodeState.HELD, Code.VNF_REFUSED, message)
    details = {"troubles": _list_troubles(refusals)}
    return StepResult(outcome=Outcome.WAITING, code=Code.VNF_REFUSED, message=message, details=details)


def _plan_by(ctx: StepContext, snapshot: CloudSnapshot, agreement: Agreement) -> DrainPlan:
    verdicts = check_servers(snapshot.servers_on(ctx.host))
    return plan_node_drain(ctx, snapshot, verdicts, agreement=agreement)


def _list_troubles(troubles: Iterable[Trouble | Verdict]) -> list[dict[str, str]]:
    """Write what was not as it should be, for the report."""
    return [{"code": str(trouble.code), "message": str(trouble)} for trouble in troubles]


def _tell(judgement: Judgement) -> dict[str, object]:
    agreed = judgement.agreement
    return {
        "stays": list(agreed.stays),
        "leaves": list(agreed.leaves),
        "troubles": _list_troubles(judgement.troubles),
    }


def _leave_to_migrate(ctx: StepContext) -> StepResult:
    """Say for every server whether it stays as a member of an HA group, or is left to migrate."""
    plan = ctx.planned_drain()
    names = [move.server_name for move in plan.moves]
    for name in names:
        log.info("%s: server %s: no VNF manager is asked to switch it over, migrate moves it", ctx.host, name)
    for server_id in plan.undisturbed:
        log.info(
            "%s: server %s stays: its HA group does without it, and the upgrade does not touch guests",
            ctx.host,
            server_id,
        )
    message = f"no VNF manager is asked: {len(names)} server(s) to move{describe_staying(plan)}"
    return StepResult(outcome=Outcome.OK, message=message, details={"servers": names})
