from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.builders import NOW

from escalator.model.decisions import Admission
from escalator.model.order import Order, Verb
from escalator.model.verdict import Code
from escalator.orders.rules import (
    decide_by_bar,
    decide_by_orders,
    decide_by_pause,
    find_code,
    find_end_of_stay,
    find_pause,
    find_stop,
)

NODE = "node-01"


def make_order(number: int, verb: Verb, host: str | None = None, **fields: Any) -> Order:
    at = NOW + timedelta(minutes=number)
    known = {"by": "ann", "reason": "smoke", "plan_hash": "ab", "at": at, **fields}
    return Order(id=number, verb=verb, host=host, **known)


def test_a_pause_lasts_until_resume_however_often() -> None:
    orders = [make_order(1, Verb.PAUSE)]
    assert find_pause(orders) == orders[0]
    orders.append(make_order(2, Verb.RESUME))
    assert find_pause(orders) is None
    orders.append(make_order(3, Verb.PAUSE))
    assert find_pause(reversed(orders)) == orders[2]
    found = decide_by_pause(orders, NODE)
    assert found is not None
    assert (found.admission, found.code) == (Admission.WAIT, Code.ORDER_PAUSE)
    assert found.message.startswith("ann ordered pause at 20")
    assert "smoke: no node goes out until resume" in found.message


def test_a_stop_is_for_ever_and_the_first_one_counts() -> None:
    orders = [make_order(1, Verb.STOP), make_order(2, Verb.RESUME), make_order(3, Verb.STOP)]
    assert find_stop(orders) == orders[0]
    found = decide_by_orders(orders, NODE)
    assert found is not None
    assert (found.admission, found.code) == (Admission.STOP, Code.ORDER_STOP)


@pytest.mark.parametrize(
    ("verb", "admission", "code"),
    [
        (Verb.SKIP, Admission.SKIP, Code.ORDER_SKIP),
        (Verb.HOLD, Admission.HOLD, Code.ORDER_HOLD),
    ],
)
def test_a_node_that_waits_is_kept_in_before_all_else(verb: Verb, admission: Admission, code: Code) -> None:
    orders = [
        make_order(1, verb, NODE, effective_at=NOW),
        make_order(2, Verb.STOP),
        make_order(3, Verb.PAUSE),
    ]
    found = decide_by_orders(orders, NODE)
    assert found is not None
    assert (found.admission, found.code) == (admission, code)
    other = decide_by_orders(orders, "node-02")
    assert other is not None
    assert other.code is Code.ORDER_STOP


def test_what_ended_a_stay_is_spent_once_it_took_effect() -> None:
    """Who clears the task of a node that was held in flight wants it to go again."""
    pending = make_order(1, Verb.HOLD, NODE, in_flight=True)
    assert decide_by_bar([pending], NODE) is not None
    spent = make_order(1, Verb.HOLD, NODE, in_flight=True, effective_at=NOW)
    assert decide_by_bar([spent], NODE) is None
    assert find_end_of_stay([spent], NODE, 0) == spent == find_end_of_stay([spent], NODE, None)
    assert find_end_of_stay([spent], NODE, 1) is None
    assert find_end_of_stay([spent], "node-02", 0) is None


def test_every_order_that_keeps_a_node_in_or_ends_its_stay_has_its_code() -> None:
    kept = [verb for verb in Verb if verb not in {Verb.RESUME, Verb.APPROVE}]
    assert len({find_code(verb) for verb in kept}) == len(kept)
