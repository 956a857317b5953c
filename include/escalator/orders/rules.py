"""What the orders of a campaign mean at a moment: for its admissions, and for a node that is in flight."""

from __future__ import annotations

from collections.abc import Iterable

from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.order import ENDS_STAY, Order, Verb
from escalator.model.verdict import Code

_CODES = {
    Verb.PAUSE: Code.ORDER_PAUSE,
    Verb.STOP: Code.ORDER_STOP,
    Verb.SKIP: Code.ORDER_SKIP,
    Verb.HOLD: Code.ORDER_HOLD,
    Verb.ABORT_MOVES: Code.ORDER_ABORT_MOVES,
}


def find_code(verb: Verb) -> Code:
    """Return the code of what follows from an order that keeps a node in, or ends its stay."""
    return _CODES[verb]


def find_pause(orders: Iterable[Order]) -> Order | None:
    """Return the order that pauses a campaign now; None: it is not paused."""
    last = max((o for o in orders if o.verb in {Verb.PAUSE, Verb.RESUME}), key=_by_id, default=None)
    return last if last is not None and last.verb is Verb.PAUSE else None


def find_stop(orders: Iterable[Order]) -> Order | None:
    """Return the order that stopped a campaign for ever; None: nobody did."""
    return min((o for o in orders if o.verb is Verb.STOP), key=_by_id, default=None)


def find_bar(orders: Iterable[Order], host: str) -> Order | None:
    """Return the order that keeps a node out of the rest of the run, when it comes to the door.

    One that ended the stay of a node in flight is spent with that: who clears its task wants it to go again.
    """
    found = (o for o in orders if o.host == host and o.verb in {Verb.SKIP, *ENDS_STAY})
    return max((o for o in found if not (o.in_flight and o.effective_at)), key=_by_id, default=None)


def find_end_of_stay(orders: Iterable[Order], host: str, claim: int | None) -> Order | None:
    """Return the order that ends the stay of a node in flight at its next safe point; None: it goes on.

    :param claim: id of the newest order when its stay began: what was ordered of an earlier one is spent.
    """
    found = (o for o in orders if o.host == host and o.in_flight and o.verb in ENDS_STAY)
    return max((o for o in found if o.id > (claim or 0)), key=_by_id, default=None)


def decide_by_bar(orders: Iterable[Order], host: str) -> AdmissionDecision | None:
    """Decide by what was ordered for the rest of the run: of the node, or of all."""
    orders = tuple(orders)
    bar = find_bar(orders, host)
    if bar is not None:
        skipped = bar.verb is Verb.SKIP
        return _decide(host, Admission.SKIP if skipped else Admission.HOLD, bar)
    stop = find_stop(orders)
    return None if stop is None else _decide(host, Admission.STOP, stop, ": no further node goes out")


def decide_by_pause(orders: Iterable[Order], host: str) -> AdmissionDecision | None:
    """Let a node wait while its campaign is paused."""
    pause = find_pause(orders)
    return None if pause is None else _decide(host, Admission.WAIT, pause, ": no node goes out until resume")


def decide_by_orders(orders: Iterable[Order], host: str) -> AdmissionDecision | None:
    """Decide by all orders whether a node is kept in; None: none keeps it."""
    orders = tuple(orders)
    return decide_by_bar(orders, host) or decide_by_pause(orders, host)


def _decide(host: str, admission: Admission, order: Order, follows: str = "") -> AdmissionDecision:
    message = f"{order}{follows}"
    return AdmissionDecision(host=host, admission=admission, code=find_code(order.verb), message=message)


def _by_id(order: Order) -> int:
    return order.id
