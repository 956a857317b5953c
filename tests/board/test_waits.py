from __future__ import annotations

from tests.board.campaigns import at, record

from escalator.board.board import Wait
from escalator.board.build import build_board
from escalator.board.waits import name_wait
from escalator.model.campaign import LedgerView, NodeProgress, NodeState
from escalator.model.verdict import Code


def test_what_keeps_most_of_the_nodes_in_comes_first_with_its_words() -> None:
    nodes = (
        NodeProgress(host="node-01", code=Code.HA_GROUP, message="group sbc bears 1"),
        NodeProgress(host="node-02", code=Code.CAPACITY, message="no room beside node-04"),
        NodeProgress(host="node-03", code=Code.CAPACITY, message="no room beside node-04, either"),
        NodeProgress(host="node-04", state=NodeState.MIGRATING),
    )
    limits = build_board(record(view=LedgerView(nodes=nodes)), at(400)).campaign.limits
    assert [(limit.wait, limit.nodes, limit.message) for limit in limits] == [
        (Wait.CAPACITY, 2, "no room beside node-04"),
        (Wait.GROUP, 1, "group sbc bears 1"),
    ]


def test_every_wait_has_a_word() -> None:
    assert name_wait(None) is Wait.TURN
    assert name_wait(Code.HA_NOTICE) is Wait.NOTICE
    assert name_wait(Code.WINDOW_CLOSED) is Wait.WINDOW
    assert name_wait(Code.APPROVAL) is Wait.PERSON
    assert name_wait(Code.INTERNAL) is Wait.OTHERS
