"""What may be ordered now, of the campaign and of each node: what the board offers.

Whoever judges an order when it is given looks at more; an order that is offered may still be refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from escalator.ledger.board_book import RunFacts
from escalator.model.campaign import NodeProgress, NodeState
from escalator.model.order import Order, Verb
from escalator.orders.rules import find_bar, find_pause, find_stop


def list_campaign_verbs(facts: RunFacts) -> tuple[Verb, ...]:
    """List what may be ordered of a campaign; nothing when it is over, or stopped for ever."""
    ended = all(node.state.ended for node in facts.view.nodes)
    if facts.concluded or ended or find_stop(facts.view.orders) is not None:
        return ()
    paused = find_pause(facts.view.orders) is not None
    return (Verb.RESUME if paused else Verb.PAUSE, Verb.STOP)


def list_node_verbs(node: NodeProgress, orders: Sequence[Order]) -> tuple[Verb, ...]:
    """List what may be ordered of a node."""
    if node.state.under_way:
        return (Verb.HOLD, Verb.ABORT_MOVES) if node.state is NodeState.MIGRATING else (Verb.HOLD,)
    if node.state.ended or node.stopped or find_bar(orders, node.host) is not None:
        return ()
    return (Verb.SKIP, Verb.HOLD)
