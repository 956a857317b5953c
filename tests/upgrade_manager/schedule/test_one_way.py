from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.builders import NOW, make_plan

from escalator.model.approval import ApprovalAnswer
from escalator.model.campaign import CampaignPlan, LedgerView, NodeProgress, NodeState
from escalator.model.lease import LeaseMark
from escalator.model.no_return import SERVERS_STUCK, NoReturn
from escalator.model.verdict import Code
from escalator.upgrade_manager.schedule.one_way import find_asked, find_crossing, needs_word

YES = ApprovalAnswer(go_on=True, by="ops", at=NOW)


def plan(no_return: NoReturn, **asked: Any) -> CampaignPlan:
    wanted = {"ask_before_one_way": True, **asked}
    return replace(make_plan("a", "b", "c", **wanted), no_return=no_return)


def view(asked: tuple[str, ...] = (), crossing: ApprovalAnswer | None = None, **states: str) -> LedgerView:
    nodes = tuple(NodeProgress(host=host, state=NodeState(state)) for host, state in states.items())
    return LedgerView(nodes=nodes, crossings_asked=frozenset(asked), crossing=crossing)


def test_nodes_that_are_out_or_changed_count_and_those_that_never_went_do_not() -> None:
    after = plan(NoReturn(after=1))
    for state in ("released", "failed", "admitted", "upgrading"):
        assert find_crossing(after, view(b=state), "a") == SERVERS_STUCK
        assert find_crossing(after, view(a=state), "a") == ""
    for state in ("waiting", "skipped", "held"):
        assert find_crossing(after, view(b=state), "a") == ""


def test_a_node_that_is_held_counts_where_it_is_out_or_somebody_has_it() -> None:
    """One that a person holds when it was proved has the new software, and so may one that was taken."""
    after = plan(NoReturn(after=1))
    held = NodeProgress(host="b", state=NodeState.HELD, code=Code.ORDER_HOLD, mark=LeaseMark.HELD)
    taken = NodeProgress(host="b", state=NodeState.HELD, code=Code.LEASE_LOST)
    given_back = NodeProgress(host="b", state=NodeState.HELD, code=Code.BACKUP_FAILED)
    for node, reason in ((held, SERVERS_STUCK), (taken, SERVERS_STUCK), (given_back, "")):
        assert find_crossing(after, LedgerView(nodes=(node,)), "a") == reason


def test_a_person_is_asked_once_before_the_first_node_that_crosses() -> None:
    tied = plan(NoReturn(reasons={"b": "gone", "c": "gone"}))
    assert needs_word(tied, view(), "a") == ""
    assert needs_word(tied, view(), "b") == "gone"
    assert needs_word(tied, view(asked=("b",), b="waiting"), "b") == "gone"
    assert needs_word(tied, view(asked=("b",), b="waiting"), "c") == ""
    assert needs_word(tied, view(asked=("b",), b="waiting", crossing=YES), "c") == ""


def test_nobody_is_asked_who_does_not_want_it_or_in_a_dry_run() -> None:
    tied = NoReturn(reasons={"b": "gone"})
    assert needs_word(plan(tied, ask_before_one_way=False), view(), "b") == ""
    assert needs_word(plan(tied, dry_run=True), view(), "b") == ""


def test_who_was_asked_and_has_no_part_any_more_keeps_nobody_waiting() -> None:
    assert find_asked(view(asked=("a", "b"), a="waiting", b="skipped")) == ("a",)
    assert find_asked(view(asked=("a",), a="waiting"), but="a") == ()
