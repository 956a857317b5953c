from __future__ import annotations

from typing import Any

import pytest
from tests.builders import NOW
from tests.orders.test_rules import make_order

from escalator.model.campaign import NodeProgress, NodeState
from escalator.model.errors import ConflictError, EscalatorError, InvalidRequestError, NotFoundError
from escalator.model.order import Order, Verb
from escalator.model.verdict import Code
from escalator.orders.judging import MOST_REASON, Asked, Ground, judge_order

NODE = "node-01"


def make_ground(*orders: Order, **states: NodeState) -> Ground:
    """A run with a node that waits, one that moves servers, and one that is done; or in other states."""
    found = {"n1": NodeState.WAITING, "n2": NodeState.MIGRATING, "n3": NodeState.RELEASED, **states}
    nodes = tuple(NodeProgress(host=f"node-0{key[1]}", state=state) for key, state in found.items())
    return Ground(nodes=nodes, claimed={}, orders=orders)


def make_asked(verb: Verb, host: str | None = None, **fields: Any) -> Asked:
    return Asked(**{"verb": verb, "host": host, "by": "ann", "reason": "smoke", **fields})


@pytest.mark.parametrize(
    ("verb", "host", "said"),
    [
        (Verb.PAUSE, None, "no node goes out until resume; in flight, and finish: node-02; wait: node-01"),
        (
            Verb.STOP,
            None,
            "no node of this run goes out any more; in flight, and finish: node-02; stay in: node-01",
        ),
        (Verb.SKIP, NODE, "node-01 is left out of this run"),
        (Verb.HOLD, NODE, "node-01 does not go out in this run: it is held until another one"),
    ],
)
def test_what_keeps_nodes_in_is_in_force_at_once_and_says_who_finishes(
    verb: Verb, host: str | None, said: str
) -> None:
    found = judge_order(make_asked(verb, host), make_ground())
    assert (found.effect, found.at_once, found.in_flight) == (said, True, False)


@pytest.mark.parametrize(
    ("state", "when"),
    [
        (NodeState.CHECKED, "before its next step"),
        (NodeState.MIGRATING, "when the moves under way have landed"),
        (NodeState.UPGRADING, "when it is upgraded and proved: it is not given back"),
    ],
)
def test_a_hold_in_flight_says_its_safe_point(state: NodeState, when: str) -> None:
    found = judge_order(make_asked(Verb.HOLD, "node-02"), make_ground(n2=state))
    assert (found.at_once, found.in_flight) == (False, True)
    assert when in found.effect


REFUSED: list[tuple[Asked, Ground, type[EscalatorError], str]] = [
    (make_asked(Verb.PAUSE, NODE), make_ground(), InvalidRequestError, "ordered of a campaign"),
    (make_asked(Verb.SKIP), make_ground(), InvalidRequestError, "name one"),
    (make_asked(Verb.PAUSE, reason=" "), make_ground(), InvalidRequestError, "needs a reason"),
    (make_asked(Verb.PAUSE, reason="x" * (MOST_REASON + 1)), make_ground(), InvalidRequestError, "500 are"),
    (make_asked(Verb.SKIP, "node-09"), make_ground(), NotFoundError, "node-09 is not a node of this run"),
    (make_asked(Verb.SKIP, "node-02"), make_ground(), ConflictError, "cannot be skipped"),
    (make_asked(Verb.SKIP, "node-03"), make_ground(), ConflictError, "is released, its way is at its end"),
    (make_asked(Verb.HOLD, "node-03"), make_ground(), ConflictError, "is released"),
    (make_asked(Verb.ABORT_MOVES, NODE), make_ground(), ConflictError, "it waits for its turn"),
    (
        make_asked(Verb.ABORT_MOVES, "node-02"),
        make_ground(n2=NodeState.UPGRADING),
        ConflictError,
        "no move of node-02 is under way: it is upgrading",
    ),
    (make_asked(Verb.RESUME), make_ground(), ConflictError, "it is not paused"),
    (make_asked(Verb.PAUSE), make_ground(make_order(1, Verb.PAUSE)), ConflictError, "paused already: ann"),
    (make_asked(Verb.STOP), make_ground(make_order(1, Verb.STOP)), ConflictError, "no node of this run"),
    (make_asked(Verb.RESUME), make_ground(make_order(1, Verb.STOP)), ConflictError, "no node of this run"),
    (
        make_asked(Verb.HOLD, NODE),
        make_ground(make_order(1, Verb.SKIP, NODE, effective_at=NOW)),
        ConflictError,
        "does not go out in this run: ann ordered skip node-01",
    ),
    (
        make_asked(Verb.HOLD, "node-02"),
        make_ground(make_order(1, Verb.HOLD, "node-02", in_flight=True)),
        ConflictError,
        "at its next safe point already",
    ),
    (
        make_asked(Verb.PAUSE),
        make_ground(n1=NodeState.SKIPPED, n2=NodeState.HELD),
        ConflictError,
        "every node's way is at its end",
    ),
]


@pytest.mark.parametrize(("asked", "ground", "kind", "words"), REFUSED)
def test_an_order_that_makes_no_sense_is_refused(
    asked: Asked, ground: Ground, kind: type[EscalatorError], words: str
) -> None:
    with pytest.raises(kind) as refused:
        judge_order(asked, ground)
    assert type(refused.value) is kind
    assert words in str(refused.value)


@pytest.mark.parametrize("confirmed", [(), ("node-02",), ("node-02", "node-01"), ("node-02",) * 3])
def test_moves_are_aborted_only_when_that_is_confirmed_twice(confirmed: tuple[str, ...]) -> None:
    with pytest.raises(ConflictError, match="confirm it twice"):
        judge_order(make_asked(Verb.ABORT_MOVES, "node-02", confirmed=confirmed), make_ground())
    asked = make_asked(Verb.ABORT_MOVES, "node-02", confirmed=("node-02", "node-02"))
    assert judge_order(asked, make_ground()).in_flight


def test_after_a_hold_in_flight_the_moves_may_be_aborted_too() -> None:
    held = make_ground(make_order(1, Verb.HOLD, "node-02", in_flight=True))
    asked = make_asked(Verb.ABORT_MOVES, "node-02", confirmed=("node-02", "node-02"))
    assert judge_order(asked, held).in_flight


def test_a_node_that_takes_its_lease_now_is_in_flight() -> None:
    ground = Ground(nodes=(NodeProgress(host=NODE),), claimed={NODE: 0})
    assert (ground.in_flight, ground.waiting) == ((NODE,), ())
    with pytest.raises(ConflictError, match="in flight"):
        judge_order(make_asked(Verb.SKIP, NODE), ground)


def test_a_node_that_gave_way_waits_and_one_that_was_told_to_stop_does_not() -> None:
    gave_way = NodeProgress(host=NODE, state=NodeState.HELD, code=Code.VNF_REFUSED)
    stopped = NodeProgress(host="node-02", code=Code.FAILURE_BUDGET)
    ground = Ground(nodes=(gave_way, stopped), claimed={NODE: 0, "node-02": 0})
    assert ground.waiting == (NODE,)
    assert judge_order(make_asked(Verb.SKIP, NODE), ground).at_once


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("node-03", "the campaign goes on after node-03"),
        (NODE, "node-01 goes out, and others that cannot go back either"),
    ],
)
def test_who_approves_is_told_of_a_node_that_is_done_and_of_one_that_is_about_to_go(
    host: str, said: str
) -> None:
    assert judge_order(make_asked(Verb.APPROVE, host), make_ground()).effect == said
