from __future__ import annotations

from dataclasses import replace

import pytest
from tests.board.campaigns import at, facts
from tests.builders import NOW

from escalator.board.verbs import list_campaign_verbs, list_node_verbs
from escalator.ledger.board_book import RunFacts
from escalator.model.campaign import NodeProgress, NodeState
from escalator.model.order import Order, Verb
from escalator.model.verdict import Code


def order(verb: Verb, host: str | None = None, number: int = 1) -> Order:
    return Order(id=number, verb=verb, host=host, by="ops", at=at(number), reason="so", plan_hash="0")


def with_orders(*orders: Order) -> RunFacts:
    known = facts()
    return replace(known, view=replace(known.view, orders=orders))


def test_a_campaign_is_paused_resumed_or_stopped_while_it_goes_on() -> None:
    assert list_campaign_verbs(facts()) == (Verb.PAUSE, Verb.STOP)
    assert list_campaign_verbs(with_orders(order(Verb.PAUSE))) == (Verb.RESUME, Verb.STOP)
    assert list_campaign_verbs(with_orders(order(Verb.STOP))) == ()
    assert list_campaign_verbs(facts(concluded=True)) == ()


@pytest.mark.parametrize(
    ("state", "verbs"),
    [
        (NodeState.WAITING, (Verb.SKIP, Verb.HOLD)),
        (NodeState.MIGRATING, (Verb.HOLD, Verb.ABORT_MOVES)),
        (NodeState.UPGRADING, (Verb.HOLD,)),
        (NodeState.RELEASED, ()),
        (NodeState.FAILED, ()),
    ],
)
def test_what_may_be_ordered_of_a_node_follows_from_its_state(
    state: NodeState, verbs: tuple[Verb, ...]
) -> None:
    assert list_node_verbs(NodeProgress(host="node-01", state=state, since=NOW), ()) == verbs


def test_nothing_is_ordered_of_a_node_that_goes_out_no_more() -> None:
    stopped = NodeProgress(host="node-01", code=Code.WINDOW_CLOSED)
    assert list_node_verbs(stopped, ()) == ()
    assert list_node_verbs(NodeProgress(host="node-01"), (order(Verb.SKIP, "node-01"),)) == ()
