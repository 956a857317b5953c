from __future__ import annotations

from tests.builders import make_node, make_plan

from escalator.model.decisions import Admission
from escalator.model.lease import Lease
from escalator.model.verdict import Code
from escalator.upgrade_manager.schedule.limits import (
    find_leases_beside,
    find_limit,
    name_leases,
    wait_for_places,
)


def lease(host: str = "a", **asked: int) -> Lease:
    return make_plan(host, campaign="other", run_id="r", **asked).lease(host)


def test_the_least_that_any_campaign_allows_holds_for_all() -> None:
    assert find_limit(3, []) == 3
    assert find_limit(3, [lease(max_parallel=2), lease(max_parallel=5)]) == 2
    assert find_limit(3, [lease().marked(None, "of an older release")]) == 1


def test_only_leases_of_neighbours_count_against_a_node() -> None:
    far = make_node("far", domain="cell1/az2/general")
    nodes = {node.host: node for node in (make_node("a"), make_node("b"), far)}
    leases = {"b": lease("b"), "far": lease("far")}
    assert find_leases_beside(nodes["a"], nodes, leases) == {"b": leases["b"]}


def test_who_has_a_node_out_is_named() -> None:
    other = lease()
    assert name_leases({"a": other, "b": None}) == f"a is out for {other.holder}, b is out"
    assert name_leases({f"n{n}": None for n in range(7)}).endswith(", n4 is out and 2 more")
    found = wait_for_places("c", {"a": other}, 1)
    assert (found.admission, found.code) == (Admission.WAIT, Code.PARALLEL_LIMIT)
    assert found.message == f"a is out for {other.holder}: at most 1 at once"
