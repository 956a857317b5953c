from __future__ import annotations

import pytest
from tests.builders import NOW, make_plan

from escalator.model.approval import Approval, ApprovalAnswer
from escalator.model.campaign import CampaignPlan, LedgerView, NodeProgress, NodeState
from escalator.model.verdict import Code
from escalator.upgrade_manager.schedule.approvals import (
    find_unapproved,
    is_one_by_one,
    list_left,
    needs_answer,
)


def answer(*, go_on: bool = True) -> ApprovalAnswer:
    return ApprovalAnswer(go_on=go_on, by="ops", at=NOW)


def view(*released: str, **answers: bool) -> LedgerView:
    nodes = [NodeProgress(host=host, state=NodeState.RELEASED) for host in released]
    return LedgerView(
        nodes=(*nodes, NodeProgress(host="x", state=NodeState.SKIPPED)),
        approvals={host: answer(go_on=go_on) for host, go_on in answers.items()},
    )


def plan(wanted: Approval) -> CampaignPlan:
    return make_plan("a", "b", "c", approval=wanted, max_parallel=2)


@pytest.mark.parametrize(
    ("wanted", "ledger", "unapproved", "one_by_one"),
    [
        (Approval.NONE, view("a"), (), False),
        (Approval.CANARY, view(), (), True),
        (Approval.CANARY, view("a"), ("a",), True),
        (Approval.CANARY, view("a", a=True), (), False),
        (Approval.CANARY, view("a", "b", a=True), (), False),
        (Approval.EVERY_NODE, view("a", "b", a=True), ("b",), True),
        (Approval.EVERY_NODE, view("a", "b", a=True, b=True), (), True),
    ],
)
def test_after_which_nodes_somebody_has_to_say_yes(
    wanted: Approval, ledger: LedgerView, unapproved: tuple[str, ...], *, one_by_one: bool
) -> None:
    assert find_unapproved(plan(wanted), ledger) == unapproved
    assert is_one_by_one(plan(wanted), ledger) is one_by_one


def test_a_person_is_asked_once_while_nodes_are_left() -> None:
    assert needs_answer(plan(Approval.CANARY), view("a"), "a")
    assert not needs_answer(plan(Approval.CANARY), view("a"), "b")
    assert not needs_answer(plan(Approval.CANARY), view("a", a=True), "a")
    assert not needs_answer(plan(Approval.NONE), view("a"), "a")
    assert needs_answer(plan(Approval.EVERY_NODE), view("a", "b", a=True), "b")
    assert not needs_answer(plan(Approval.EVERY_NODE), view("a", "b", a=False), "b")
    assert not needs_answer(plan(Approval.EVERY_NODE), view("a", "b", "c", a=True, b=True), "c")


def test_a_node_that_gave_way_to_the_others_and_comes_again_is_left() -> None:
    released = NodeProgress(host="a", state=NodeState.RELEASED)
    skipped = NodeProgress(host="b", state=NodeState.SKIPPED)
    for code, left in ((Code.VNF_REFUSED, ("c",)), (Code.STAGE_FAILED, ())):
        held = NodeProgress(host="c", state=NodeState.HELD, code=code)
        ledger = LedgerView(nodes=(released, skipped, held))
        assert list_left(plan(Approval.EVERY_NODE), ledger) == left
        assert needs_answer(plan(Approval.EVERY_NODE), ledger, "a") is bool(left)
