"""What is told of the reboot of a node: that it was ordered, that power was switched, that it is back."""

from __future__ import annotations

from escalator.events.event import Action
from escalator.events.teller import Teller
from escalator.model.node_facts import RebootOrder
from escalator.model.step import Step


def tell_reboot(teller: Teller, host: str, order: RebootOrder) -> None:
    """Tell how far the reboot of a node is, by what was recorded of it last."""
    why = "; ".join(order.reasons)
    if order.back_at is not None:
        taken = (order.back_at - order.ordered_at).total_seconds()
        teller.tell(
            Action.REBOOT,
            at=order.back_at,
            node=host,
            step=Step.UPGRADE,
            result="back",
            message=why,
            seconds=taken,
        )
    elif order.switched_at is not None:
        teller.tell(
            Action.REBOOT,
            at=order.switched_at,
            node=host,
            step=Step.UPGRADE,
            result="power switched",
            message="it did not come back, its power is switched from outside",
        )
    else:
        teller.tell(
            Action.REBOOT, at=order.ordered_at, node=host, step=Step.UPGRADE, result="ordered", message=why
        )
