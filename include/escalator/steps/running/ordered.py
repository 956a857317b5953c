"""What persons ordered, as steps heed it: at the door, and at a safe point of a node in flight.

A safe point: nothing is half done that only this step can bring to its end.
"""

from __future__ import annotations

import logging
from contextlib import suppress

from escalator.ledger.run import CampaignRun
from escalator.model.campaign import NodeState, Step
from escalator.model.decisions import AdmissionDecision
from escalator.model.errors import EscalatorError
from escalator.model.order import ENDS_STAY, Order
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.orders.rules import decide_by_bar, decide_by_orders, find_code, find_end_of_stay
from escalator.steps.running.context import StepContext
from escalator.steps.running.results import StepResult

log = logging.getLogger("escalator.steps.running.ordered")

_HOLDS = frozenset({Code.ORDER_HOLD, Code.ORDER_ABORT_MOVES})


def claim_node(ctx: StepContext) -> AdmissionDecision | None:
    """Note that the node is about to go out; return the decision of an order that keeps it in.

    :raises SupersededError: a newer attempt at the node has begun.
    """
    return ctx.run.orders().claim(ctx.host, ctx.attempt, decide=decide_by_orders)


def forget_claim(ctx: StepContext) -> None:
    """Note that the node did not go out after all."""
    if ctx.facts.claim is not None:
        ctx.remember(claim=None)


def find_order(ctx: StepContext) -> Order | None:
    """Return what was ordered of the node while it is out, and ends its stay; None: it goes on."""
    orders = ctx.run.orders().read()
    return find_end_of_stay(orders, ctx.host, ctx.facts.claim) if orders else None


def is_called_back(run: CampaignRun, host: str) -> bool:
    """Tell whether a node that waits on its way is to be looked at, as something was ordered."""
    orders = run.orders().read()
    if not orders:
        return False
    ended = find_end_of_stay(orders, host, run.facts(host).claim)
    return (ended is not None and ended.effective_at is None) or decide_by_bar(orders, host) is not None


def find_hold(ctx: StepContext) -> StepResult | None:
    """Hold the node at a safe point where a person ordered so; None: it goes on."""
    order = find_order(ctx)
    return None if order is None else make_hold(order)


def find_hold_before(ctx: StepContext) -> StepResult | None:
    """Hold the node before a step, where that is a safe point: its software is as it was, nothing moves.

    Migrate looks for itself, as moves of an earlier attempt have to land; verify never holds a node back.
    """
    if ctx.step in {Step.ADMIT, Step.VERIFY, Step.RELEASE}:
        return None
    order = find_order(ctx)
    if order is None:
        return None
    facts, moving = ctx.facts, ctx.run.progress(ctx.host).state is NodeState.MIGRATING
    if facts.upgrade_begun is not None or moving or (ctx.step is Step.MIGRATE and facts.drain_started):
        return None
    return make_hold(order)


def make_hold(order: Order) -> StepResult:
    """Make the end of a step that an order holds."""
    return StepResult(outcome=Outcome.HELD, code=find_code(order.verb), message=str(order))


def note_effect(ctx: StepContext, code: Code | None) -> None:
    """Note that what was ordered of the node has taken effect, when that is why it is held.

    It is noted after the node is held: killed in between, the next attempt holds it again.
    """
    if code in _HOLDS:
        with suppress(EscalatorError):
            ctx.run.orders().take_effect(ctx.now(), host=ctx.host, verbs=ENDS_STAY)
