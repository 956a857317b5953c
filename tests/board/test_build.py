from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.board.campaigns import at, record
from tests.builders import NOW, make_plan

from escalator.board.board import Group, Stand
from escalator.board.build import build_board, build_line
from escalator.ledger.records import CampaignSummary
from escalator.model.approval import Approval, ApprovalAnswer
from escalator.model.campaign import LedgerView, LeftOut, NodeProgress, NodeState, Step
from escalator.model.order import Order, Verb
from escalator.model.step import Outcome
from escalator.model.verdict import Code

RELEASED = NodeProgress(host="node-01", state=NodeState.RELEASED)


def make_order(number: int, verb: Verb) -> Order:
    return Order(id=number, verb=verb, host=None, by="ann", at=NOW, reason="storm", plan_hash="0")


def make_summary(**known: Any) -> CampaignSummary:
    ids = {"campaign": "c", "run_id": "r", "dag_id": "c", "opened_at": NOW}
    return CampaignSummary(**ids, bundle="nova-34", target_version="34.0.0", **known)


def test_the_head_counts_the_nodes_and_says_from_what_to_what() -> None:
    head = build_board(record(), at(400)).campaign
    assert head.nodes == {Group.DONE: 1, Group.OUT: 1, Group.WAITING: 2}
    assert (head.from_versions, head.target_version) == (("32.1.0", "33.0.2"), "34.0.0")
    assert head.stand is Stand.RUNNING


def test_a_node_says_why_it_waits_and_what_its_place_is() -> None:
    lines = {line.host: line for line in build_board(record(), at(400)).nodes}
    waiting = lines["node-03"]
    assert (waiting.place, waiting.code) == (3, Code.PARALLEL_LIMIT)
    assert waiting.why == "node-02 is out, one at a time"


def test_a_step_that_goes_on_is_measured_against_what_is_usual() -> None:
    def upgrade(seconds: float) -> tuple[float | None, bool, Outcome | None]:
        line = build_board(record(), at(seconds)).nodes[1]
        (cell,) = [cell for cell in line.steps if cell.step is Step.UPGRADE]
        assert cell.usual_seconds == 120.0
        return cell.seconds, cell.slow, cell.result

    assert upgrade(400) == (50.0, False, None)
    assert upgrade(350 + 301) == (301.0, True, None)  # nine in ten take 300 s at most


def test_a_failed_or_held_node_needs_a_person_even_when_all_is_over() -> None:
    nodes = (NodeProgress(host="node-01", state=NodeState.FAILED, code=Code.UPGRADE_FAILED),)
    for concluded in (False, True):
        found = build_board(record(view=LedgerView(nodes=nodes), concluded=concluded), NOW)
        assert found.campaign.stand is Stand.NEEDS_A_PERSON


def test_a_campaign_that_admits_no_more_has_stopped_and_one_with_a_report_is_over() -> None:
    nodes = (NodeProgress(host="node-01", code=Code.WINDOW_CLOSED),)
    stopped = record(view=LedgerView(nodes=nodes))
    assert build_board(stopped, NOW).campaign.stand is Stand.STOPPED
    assert build_board(record(view=LedgerView(nodes=nodes), concluded=True), NOW).campaign.stand is Stand.OVER


def test_a_node_that_is_left_out_has_no_place() -> None:
    left_out = LeftOut(host="node-09", code=Code.DISABLED_BY_OTHERS, message="a person disabled it")
    plan = replace(make_plan("node-01"), left_out=(left_out,))
    nodes = (
        NodeProgress(host="node-01"),
        NodeProgress(host="node-09", state=NodeState.HELD, message="a person disabled it"),
    )
    lines = build_board(record(plan=plan, view=LedgerView(nodes=nodes), steps=()), NOW).nodes
    assert [(line.host, line.place) for line in lines] == [("node-01", 1), ("node-09", None)]


def test_a_line_counts_what_is_skipped_as_done() -> None:
    summary = make_summary(nodes={NodeState.SKIPPED: 1, NodeState.RELEASED: 2})
    line = build_line(summary)
    assert (line.stand, line.nodes) == (Stand.OVER, {Group.DONE: 3})
    left = replace(summary, nodes={NodeState.WAITING: 1, NodeState.RELEASED: 2})
    assert build_line(left).stand is Stand.RUNNING
    assert build_line(replace(left, concluded=True)).stand is Stand.OVER  # its window has closed


@pytest.mark.parametrize(
    ("view", "stand"),
    [
        (LedgerView(), Stand.RUNNING),
        (LedgerView(orders=(make_order(1, Verb.PAUSE),)), Stand.PAUSED),
        (LedgerView(orders=(make_order(1, Verb.PAUSE), make_order(2, Verb.RESUME))), Stand.RUNNING),
        (LedgerView(orders=(make_order(1, Verb.STOP),)), Stand.STOPPED),
        (LedgerView(nodes=(NodeProgress(host="node-02", code=Code.FAILURE_BUDGET),)), Stand.STOPPED),
        (LedgerView(nodes=(RELEASED, NodeProgress(host="node-02"))), Stand.NEEDS_A_PERSON),
    ],
)
def test_a_line_stands_as_its_board_does(view: LedgerView, stand: Stand) -> None:
    plan = make_plan("node-01", "node-02", approval=Approval.EVERY_NODE)
    nodes = {NodeState.WAITING: 1, NodeState.RELEASED: 1}
    line = build_line(make_summary(nodes=nodes, plan=plan, view=view))
    assert (line.stand, build_board(record(plan=plan, view=view), NOW).campaign.stand) == (stand, stand)


def test_a_person_is_asked_before_a_node_that_cannot_go_back_until_somebody_answered_or_stopped() -> None:
    nodes = (NodeProgress(host="node-01"), NodeProgress(host="node-02"))
    asked = LedgerView(nodes=nodes, crossings_asked=frozenset({"node-01"}))
    (need,) = build_board(record(view=asked), NOW).needs
    assert (need.host, need.verbs, need.task) == ("node-01", (Verb.APPROVE,), "node-01.admit")
    assert "there is no return" in need.message
    answer = ApprovalAnswer(go_on=True, by="ann", at=NOW)
    for view in (replace(asked, crossing=answer), replace(asked, orders=(make_order(1, Verb.STOP),))):
        assert build_board(record(view=view), NOW).needs == ()


def test_nobody_is_asked_what_comes_after_a_node_when_the_campaign_is_stopped() -> None:
    plan = make_plan("node-01", "node-02", approval=Approval.EVERY_NODE)
    view = LedgerView(nodes=(RELEASED, NodeProgress(host="node-02")), orders=(make_order(1, Verb.STOP),))
    assert build_board(record(plan=plan, view=view), NOW).needs == ()
