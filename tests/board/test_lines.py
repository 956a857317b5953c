from __future__ import annotations

from typing import Any

from tests.board.campaigns import at, record

from escalator.board.board import Group, ServerMove
from escalator.board.build import build_board
from escalator.model.campaign import LedgerView, NodeProgress, NodeState
from escalator.model.moves import DrainPlan, MoveMethod, MoveRecord, PlannedMove
from escalator.model.verdict import Code


def list_moves(*ended: MoveRecord, **flying: int | None) -> dict[str, ServerMove]:
    """List the servers of a node that is drained, by name."""
    planned = tuple(
        PlannedMove(server_id=n, server_name=n, method=MoveMethod.LIVE, destinations=("node-01",))
        for n in ("a", "b")
    )
    found: dict[str, Any] = {
        "view": LedgerView(nodes=(NodeProgress(host="node-02", state=NodeState.MIGRATING),)),
        "drains": {"node-02": DrainPlan(host="node-02", moves=planned)},
        "flying": {"node-02": flying},
        "moves": {"node-02": ended},
    }
    (line,) = build_board(record(**found), at(400)).nodes
    return {move.name: move for move in line.moves}


def end(name: str, *, arrived: bool) -> MoveRecord:
    return MoveRecord(
        server_id=name,
        server_name=name,
        from_host="node-02",
        to_host="node-01",
        method=MoveMethod.LIVE,
        succeeded=arrived,
        started_at=at(10),
        ended_at=at(27),
    )


def test_a_node_that_the_campaign_is_not_about_is_not_on_the_board() -> None:
    nodes = (
        NodeProgress(host="node-02", state=NodeState.MIGRATING),
        NodeProgress(host="node-03", state=NodeState.SKIPPED, code=Code.NOT_SELECTED),
    )
    board = build_board(record(view=LedgerView(nodes=nodes)), at(400))
    assert [node.host for node in board.nodes] == ["node-02"]
    assert (board.campaign.total, dict(board.campaign.nodes)) == (1, {Group.OUT: 1})


def test_a_server_on_its_way_says_how_much_is_copied_where_that_is_known() -> None:
    moves = list_moves(a=43, b=None)
    assert [(m.flies, m.percent) for m in moves.values()] == [(True, 43), (True, None)]
    assert [(m.flies, m.percent) for m in list_moves().values()] == [(False, None)] * 2


def test_a_server_that_has_arrived_flies_no_more_and_one_that_is_tried_again_does() -> None:
    moves = list_moves(end("a", arrived=True), end("b", arrived=False), a=99, b=5)
    assert (moves["a"].done, moves["a"].flies, moves["a"].percent) == (True, False, None)
    assert (moves["b"].failed, moves["b"].flies, moves["b"].percent, moves["b"].tries) == (True, True, 5, 1)


def test_what_a_verdict_says_of_its_node_is_shown_without_its_name_and_its_code_again() -> None:
    message = "node node-02: nova-compute does not run -> read its log, mend it [service_not_up]"
    failed = NodeProgress(host="node-02", state=NodeState.FAILED, code=Code.SERVICE_NOT_UP, message=message)
    (need,) = build_board(record(view=LedgerView(nodes=(failed,))), at(400)).needs
    assert (need.message, need.remedy) == ("nova-compute does not run", "read its log, mend it")
