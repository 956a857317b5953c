from dataclasses import replace

from tests.builders import make_plan

from escalator.model.campaign import CampaignRequest, LedgerView, NodeProgress, NodeState


def test_a_plans_lease_says_its_limit_and_bundle() -> None:
    plan = make_plan("a", max_parallel=2)
    lease = plan.lease("a")
    assert lease.max_parallel == 2
    assert "nova-34" in lease.words
    assert not lease.same_holder(plan.lease("b"))


def test_an_unrecorded_node_waits() -> None:
    failed = NodeProgress(host="a", state=NodeState.FAILED)
    view = LedgerView(nodes=(failed,))
    assert view.of("a") is failed
    assert view.of("b") == NodeProgress(host="b", state=NodeState.WAITING)


def test_what_is_untouched() -> None:
    untouched = {s for s in NodeState if s.untouched}
    assert untouched == {NodeState.WAITING, NodeState.ADMITTED, NodeState.CHECKED}


def test_how_long_a_move_may_take_grows_with_memory_where_that_was_asked() -> None:
    request = CampaignRequest(cloud="c", domain="d", bundle="b")
    assert request.move_limit_seconds(1024**2) == 900.0
    grown = replace(request, migration_timeout_seconds_per_gib=10.0)
    assert (grown.move_limit_seconds(1024), grown.move_limit_seconds(1024**2)) == (900.0, 10240.0)


def test_how_many_nodes_may_fail() -> None:
    nodes = tuple(f"n{number}" for number in range(19))
    assert make_plan(*nodes, max_failed_nodes=3).failures_allowed == 3
    assert make_plan(*nodes, max_failed_percent=10).failures_allowed == 1
    assert make_plan("a", max_failed_percent=99).failures_allowed == 0
