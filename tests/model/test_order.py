from __future__ import annotations

from tests.orders.test_rules import make_order

from escalator.model.order import OF_CAMPAIGN, OF_NODE, Verb


def test_an_order_says_who_what_when_and_why() -> None:
    said = str(make_order(1, Verb.HOLD, "node-01", reason="its fan is loud"))
    assert said.startswith("ann ordered hold node-01 at 2026-")
    assert said.endswith(": its fan is loud")
    assert "\n" not in said


def test_every_word_is_ordered_of_something() -> None:
    assert set(Verb) == OF_CAMPAIGN | OF_NODE
