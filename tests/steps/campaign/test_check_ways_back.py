from __future__ import annotations

from tests.builders import BUNDLE

from escalator.model.verdict import Code, Severity
from escalator.model.way_back import WayBack
from escalator.steps.campaign.check_ways_back import check_ways_back


def test_nodes_with_the_same_way_back_are_named_together_and_those_without_are_warned_of() -> None:
    old, gone = WayBack.to_previous({"nova-compute": "33.0.2"}), WayBack.one_way("it is gone")
    back, none = check_ways_back(BUNDLE, ["a", "b", "c", "d"], {"a": old, "b": gone, "c": old, "z": gone})
    assert (back.code, back.met, back.message) == (Code.WAY_BACK, True, "a, c: back to nova-compute 33.0.2")
    assert (none.code, none.met, none.severity) == (Code.NO_WAY_BACK, False, Severity.WARNING)
    assert (none.message, none.hosts, none.blocks) == ("b: one-way: it is gone", ("b",), False)
    assert none.remedy


def test_where_no_node_was_asked_nothing_is_said() -> None:
    assert list(check_ways_back(BUNDLE, ["a"], {})) == []


def test_a_node_that_is_one_way_does_not_begin_where_failed_nodes_are_taken_back() -> None:
    gone = WayBack.one_way("it is gone")
    (found,) = check_ways_back(BUNDLE, ["a"], {"a": gone}, is_needed=True)
    assert (found.blocks, found.hosts) == (True, ("a",))
    assert "on_failed_node: quarantine" in str(found.remedy)
