"""The reboot of an empty node: ordered once, and proved by the identity of its boot.

What is about to be ordered is remembered first, with the boot that is to end. Whoever is killed at any moment
and run again finds that, and compares: a node in another boot has rebooted; for one that still is in that
boot the order is good again, and does nothing where it was obeyed already.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from escalator.model.boot import Boot, SystemState
from escalator.model.bundle import RebootPolicy
from escalator.model.campaign import NodeState
from escalator.model.errors import LeaseLostError, LoginRefusedError, NodeFaultError, TransientError
from escalator.model.node_facts import RebootOrder
from escalator.model.verdict import Code
from escalator.reports.formatting import format_duration
from escalator.steps.rebooting.last_look import ensure_clear, find_in_the_way
from escalator.steps.rebooting.power import give_power_again, switch_power
from escalator.steps.running.context import StepContext
from escalator.steps.running.done_before import find_boot_since
from escalator.system_support.boots import order_reboot, read_boot
from escalator.upgrade_manager.state.boots import find_reboot_doubts, find_reboot_reasons

log = logging.getLogger("escalator.steps.rebooting.reboots")

POLL_SECONDS = 3.0
ORDERED_AGAIN_AFTER = timedelta(seconds=30)
"""How long a node that answers in the old boot, and is not shutting down, is given before another order."""
WAITED_AT_LEAST = timedelta(minutes=1)
"""How long an attempt waits, also after the deadline: a person may have switched the node on just now."""
UP_WITHIN = timedelta(minutes=5)
"""How long the system of a node may take to come up after it is reached; verify decides what that means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebooted:
    """What came of the bundle's wish for a reboot.

    :ivar said: in words, for the step's message; empty: the bundle wishes none.
    :ivar details: for the report; nothing when the node was not rebooted.
    """

    said: str = ""
    details: Mapping[str, object] = field(default_factory=dict)


def finish_reboot(ctx: StepContext) -> Rebooted | None:
    """See a reboot to its end that an attempt before this one ordered.

    :return: None when none is on its way, also when the node does not seem to know of the order: then all
        that is done before a reboot is done again, and it is ordered again.
    :raises NodeFaultError: the node does not come back in time.
    """
    order = ctx.facts.reboot
    if order is None or order.back_at is not None:
        return None
    boot, _ = _look(ctx)
    if _stays(boot, order):
        return None
    return _wait_for(ctx, order if boot is not None else give_power_again(ctx, order))


def reboot_node(ctx: StepContext, *, activated: bool) -> Rebooted:
    """Reboot the node if the bundle wants it, and wait until its system is up again.

    :param activated: this attempt changed what the node runs; a reboot before that does not count.
    :raises TransientError: the node cannot be reached, and nothing was ordered.
    :raises NodeFaultError: it does not obey, or does not come back in time; or a server runs on it.
    """
    policy = ctx.campaign.bundle.reboot
    if policy is RebootPolicy.NEVER:
        return Rebooted()
    order = ctx.facts.reboot
    if order is not None and order.back_at is not None and not activated:
        return Rebooted(said=f"it was rebooted at {order.back_at:%H:%M:%S}")
    asked_at = ctx.now()
    with ctx.campaign.connect(ctx.host) as shell:
        boot = read_boot(shell, signs=policy is RebootPolicy.IF_REQUIRED)
    reasons = (*find_reboot_reasons(boot.signs), *find_reboot_doubts(boot.signs)) if boot.signs else ()
    if policy is RebootPolicy.IF_REQUIRED and not reasons:
        return Rebooted(said="nothing asks for a reboot")
    since = find_boot_since(ctx.campaign, boot, asked_at)
    if since is not None:
        return Rebooted(said=f"it has rebooted at {since:%H:%M:%S}, after the campaign began")
    for reason in reasons:
        log.info("%s: it is rebooted: %s", ctx.host, reason)
    return _wait_for(ctx, _order(ctx, boot, order, reasons))


def find_reboot_due(ctx: StepContext) -> str:
    """Say which reboot of the node is still to come, in words; empty: none.

    Asked by whoever proves a node: a person may have passed over its upgrade. The node is asked only where
    the ledger does not say that it was seen in another boot.

    :raises TransientError: the node cannot be reached.
    """
    order, policy = ctx.facts.reboot, ctx.campaign.bundle.reboot
    if policy is RebootPolicy.NEVER or (order is not None and order.back_at is not None):
        return ""
    if order is None and policy is not RebootPolicy.ALWAYS:
        return ""
    asked_at = ctx.now()
    with ctx.campaign.connect(ctx.host) as shell:
        boot = read_boot(shell)
    if order is not None:
        at = order.ordered_at.isoformat(timespec="seconds")
        return f"has not rebooted since it was ordered to at {at}" if boot.boot_id == order.boot_id else ""
    begun = ctx.facts.restarted_at or ctx.facts.upgrade_begun
    if begun is None and find_boot_since(ctx.campaign, boot, asked_at) is not None:
        return ""
    return "" if begun is not None and boot.began(asked_at) >= begun else "was not rebooted by its upgrade"


def _order(ctx: StepContext, boot: Boot, known: RebootOrder | None, reasons: tuple[str, ...]) -> RebootOrder:
    """Remember what is about to be ordered, then order it; what is not overdue stays the same order."""
    ensure_clear(ctx)
    now = ctx.now()
    order = RebootOrder(boot_id=boot.boot_id, ordered_at=now, answered_at=now, reasons=reasons)
    if known is not None and known.boot_id == boot.boot_id and now < _find_deadline(ctx, known):
        order = replace(known, answered_at=now)
    ctx.remember(upgrade_begun=ctx.facts.upgrade_begun or now, reboot=order)
    ctx.progress(NodeState.UPGRADING, message=f"reboots, ordered at {order.ordered_at:%H:%M:%S}")
    ctx.ensure_leased()
    _tell(ctx, order)
    return order


def _tell(ctx: StepContext, order: RebootOrder) -> None:
    ctx.ensure_current()
    try:
        with ctx.campaign.connect(ctx.host) as shell:
            order_reboot(shell, order.boot_id)
    except (TransientError, LoginRefusedError) as exc:  # the reboot itself may have cut the connection
        log.info("%s: whether the order to reboot arrived is not known: %s", ctx.host, exc)
    except NodeFaultError as exc:
        boot, _ = _look(ctx)
        if _stays(boot, order):
            raise
        log.info("%s: it goes down, though the order says: %s", ctx.host, exc)


def _tell_again(ctx: StepContext, order: RebootOrder) -> str:
    """Give the order again where the node still is ours and nothing runs on it; else say why not.

    :raises LeaseLostError: somebody has taken the node meanwhile.
    """
    try:
        found = find_in_the_way(ctx)
    except TransientError as exc:
        found = exc.message
    if found:
        log.warning("%s: the reboot is not ordered again: %s", ctx.host, found)
    else:
        _tell(ctx, order)
    return found


def _find_deadline(ctx: StepContext, order: RebootOrder) -> datetime:
    begun = order.switched_at or order.ordered_at
    return begun + timedelta(seconds=ctx.campaign.bundle.reboot_limit_seconds)


def _look(ctx: StepContext) -> tuple[Boot | None, str]:
    """Read the node's boot; None, and why, while it does not answer as itself.

    A node that comes up may refuse the log-in, or show another key, for as long as its disk is locked.
    """
    try:
        with ctx.campaign.connect(ctx.host) as shell:
            return read_boot(shell), ""
    except LeaseLostError:
        raise
    except (TransientError, NodeFaultError) as exc:
        return None, exc.message


def _stays(boot: Boot | None, order: RebootOrder) -> bool:
    """Tell whether a node answers in the boot that is to end, and does not go down."""
    return boot is not None and boot.boot_id == order.boot_id and boot.system is not SystemState.STOPPING


def _wait_for(ctx: StepContext, order: RebootOrder) -> Rebooted:
    """Wait until the node is in another boot, and its system is up.

    :raises NodeFaultError: it is not in time; says since when it is silent.
    """
    deadline = max(_find_deadline(ctx, order), ctx.now() + WAITED_AT_LEAST)
    told, silent, refrained = ctx.now(), False, ""
    while True:
        boot, words = _look(ctx)
        if boot is not None and boot.boot_id != order.boot_id:
            return _come_back(ctx, order, boot)
        now = ctx.now()
        if boot is not None:
            order, silent = replace(order, answered_at=now), False
        elif not silent:
            silent = True
            log.info("%s: silent since %s, as it should be", ctx.host, order.answered_at.isoformat())
            ctx.remember(reboot=order)
        if now >= deadline:
            switched = switch_power(ctx, order) if boot is None else None
            if switched is None:
                raise _describe_overdue(ctx, order, boot, refrained if boot is not None else words)
            order, deadline = switched, _find_deadline(ctx, switched)
        if _stays(boot, order) and now - told >= ORDERED_AGAIN_AFTER:
            refrained = _tell_again(ctx, order)
            told = now
        ctx.campaign.sleep(POLL_SECONDS)
        ctx.ensure_current()


def _come_back(ctx: StepContext, order: RebootOrder, boot: Boot) -> Rebooted:
    """Remember that the node is back, and wait for its system: what does not come up is said, not judged."""
    now = ctx.now()
    ctx.remember(reboot=replace(order, back_at=now), restarted_at=boot.began(now))
    deadline = now + UP_WITHIN
    while boot.system.is_coming_up and ctx.now() < deadline:
        ctx.campaign.sleep(POLL_SECONDS)
        boot = _look(ctx)[0] or boot
    seconds = (now - order.ordered_at).total_seconds()
    why = f" ({'; '.join(order.reasons)})" if order.reasons else ""
    said = f"rebooted in {format_duration(seconds)}{why}"
    if order.switched_at is not None:
        said += f", when its power was switched from outside at {order.switched_at:%H:%M:%S}"
    if boot.system is not SystemState.RUNNING:
        failed = f": {', '.join(boot.failed_units)}" if boot.failed_units else ""
        said += f", its system is {boot.system}{failed}"
        log.warning("%s: %s", ctx.host, said)
    details = {
        "boot_before": order.boot_id,
        "boot": boot.boot_id,
        "ordered_at": order.ordered_at,
        "back_at": now,
        "power_switched_at": order.switched_at,
        "seconds": seconds,
        "system": str(boot.system),
        "failed_units": list(boot.failed_units),
        "reasons": list(order.reasons),
    }
    return Rebooted(said=said, details={"reboot": details})


def _describe_overdue(ctx: StepContext, order: RebootOrder, boot: Boot | None, words: str) -> NodeFaultError:
    """Say that a reboot is overdue; ``words``: why no order was given again, or what is heard of the node."""
    waited = format_duration((ctx.now() - order.ordered_at).total_seconds())
    since = order.answered_at.isoformat(timespec="seconds")
    switched = ""
    if order.switched_at is not None:
        switched = f"its power was switched from outside at {order.switched_at:%H:%M:%S}, in vain; "
    if boot is not None:
        refrained = f"; it was not ordered again: {words}" if words else ""
        return NodeFaultError(
            f"{ctx.host} does not reboot: {waited} after the order it is still in the boot that was to end "
            f"({order.boot_id}), and systemd says {boot.system}{refrained}",
            remedy="see there what keeps it (systemctl list-jobs), then clear its upgrade with downstream",
            code=Code.REBOOT_OVERDUE,
        )
    return NodeFaultError(
        f"{ctx.host} did not come back from its reboot: ordered at "
        f"{order.ordered_at.isoformat(timespec='seconds')}, silent since {since}, its last answer; "
        f"{switched}given up after {waited}: {words}",
        remedy="bring it up at its console, then clear its upgrade with downstream: it is not rebooted again",
        code=Code.REBOOT_OVERDUE,
    )
