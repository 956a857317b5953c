"""The power of a node that does not come back from its reboot: switched from outside, once for an order."""

from __future__ import annotations

import logging
from dataclasses import replace

from escalator.model.errors import NodeFaultError
from escalator.model.node_facts import RebootOrder
from escalator.model.verdict import Code
from escalator.steps.rebooting.last_look import find_in_the_way
from escalator.steps.running.context import StepContext
from escalator.steps.running.patience import Patience
from escalator.system_support.power import bring_back

log = logging.getLogger("escalator.steps.rebooting.power")


def switch_power(ctx: StepContext, order: RebootOrder) -> RebootOrder | None:
    """Switch the power of a silent node from outside, where the operator says how; remember it before.

    :return: the order, from now on waited for anew; None: nobody can, or it was done for this order before.
    :raises LeaseLostError: the node is not ours any more: whoever has it may be at work on it.
    :raises NodeFaultError: the switch fails, or a server is there: nobody knows whether it runs.
    """
    power = ctx.campaign.find_power(ctx.host)
    if power is None or order.switched_at is not None:
        return None
    since = order.answered_at.isoformat(timespec="seconds")
    found = Patience(ctx=ctx).ask(lambda: find_in_the_way(ctx))
    if found:
        raise NodeFaultError(
            f"{ctx.host} did not come back from its reboot, silent since {since}, its last answer; its power "
            f"is not switched: {found}",
            remedy="find out who put it there, bring the node up at its console, then clear its upgrade with "
            "downstream",
            code=Code.REBOOT_OVERDUE,
        )
    switched = replace(order, switched_at=ctx.now())
    ctx.remember(reboot=switched)
    log.warning("%s: silent since %s: its power is switched from outside", ctx.host, since)
    try:
        done = bring_back(power)
    except NodeFaultError as exc:
        raise NodeFaultError(
            f"{ctx.host} did not come back from its reboot, silent since {since}, its last answer; its power "
            f"could not be switched from outside: {exc.message}",
            remedy=exc.remedy,
            code=Code.REBOOT_OVERDUE,
        ) from exc
    log.warning("%s: %s", ctx.host, done)
    return switched


def give_power_again(ctx: StepContext, order: RebootOrder) -> RebootOrder:
    """Switch a silent node on that has no power, where an attempt before this one was to switch it.

    That one may have been cut off between off and on. Nothing is switched where the node has power, or it is
    not known.

    :return: the order; where the node was switched on, from now on waited for anew.
    :raises LeaseLostError: the node is not ours any more: whoever has it may be at work on it.
    :raises NodeFaultError: the switch fails.
    """
    power = ctx.campaign.find_power(ctx.host) if order.switched_at is not None else None
    if power is None or power.is_on() is not False or Patience(ctx=ctx).ask(lambda: find_in_the_way(ctx)):
        return order
    again = replace(order, switched_at=ctx.now())
    ctx.remember(reboot=again)
    log.warning("%s: it has no power since it was to be switched from outside: it is switched on", ctx.host)
    power.on()
    return again
