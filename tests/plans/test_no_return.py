from __future__ import annotations

from typing import Any

from escalator.model.no_return import SERVERS_STUCK, NoReturn
from escalator.plans.no_return import describe_no_return, list_no_return_lines


def node(host: str, **moves: str) -> dict[str, Any]:
    return {"host": host, "moves": [{"server": f"id-{n}", "name": n, "to": to} for n, to in moves.items()]}


NODES = [node("a"), node("b", web="a", late="c"), node("c", late="b", web="b")]


def test_nodes_cross_in_their_turn_and_servers_on_upgraded_nodes_are_tied() -> None:
    found = describe_no_return(NODES, NoReturn(reasons={"a": "gone"}, after=2), ties_servers=True)
    assert found["nodes"] == [{"host": "a", "reason": "gone"}, {"host": "c", "reason": SERVERS_STUCK}]
    assert [(s["name"], s["host"]) for s in found["servers"]] == [("web", "b"), ("late", "b")]
    assert list(list_no_return_lines(found)) == [
        "no return once a is about to be changed: gone",
        f"no return once c is about to be changed: {SERVERS_STUCK}",
        "will not move live back to an older hypervisor: web on b, late on b",
    ]


def test_where_everything_can_go_back_nothing_is_said() -> None:
    found = describe_no_return(NODES, NoReturn(), ties_servers=False)
    assert found == {"nodes": [], "servers": []}
    assert list(list_no_return_lines(found)) == []
    assert list(list_no_return_lines({})) == []
