from dataclasses import replace

from tests.builders import disabled, make_node, make_plan

from escalator.model.campaign import CampaignRequest, LedgerView, NodeProgress, NodeState, RunOf
from escalator.model.lease import LeaseMark


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


def test_only_what_the_run_that_is_taken_back_left_out_is_taken_over() -> None:
    upgrade = make_plan("a", "b", run_id="run-1")
    back = replace(upgrade, campaign="rollback__lab", run_id="run-2", procedure="rollback", undoes=RUN_1)
    left = upgrade.lease("a").marked(LeaseMark.FAILED, "it broke").renewed()
    node = disabled(make_node("a"), left.render())
    assert (back.takes_over(node), back.may_mend(node), back.owns(node)) == (True, True, False)
    assert not upgrade.takes_over(node)
    assert replace(back, undoes=None).takes_over(node) is False
    others = {
        "in flight": upgrade.lease("a").render(),
        "of another node": upgrade.lease("b").marked(LeaseMark.HELD).render(),
        "of another run": replace(upgrade, run_id="run-3").lease("a").marked(LeaseMark.HELD).render(),
        "of another installation": replace(upgrade, installation="12345678")
        .lease("a")
        .marked(LeaseMark.HELD)
        .render(),
        "of a person": "broken fan",
    }
    for who, reason in others.items():
        assert not back.may_mend(disabled(node, reason)), who
    assert back.lease("a").words == "rollback by nova-34"


RUN_1 = RunOf(campaign="upgrade__lab", run_id="run-1", version="34.0.0")
