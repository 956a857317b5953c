from dataclasses import replace

from tests.builders import make_plan

from escalator.model.failed_nodes import OnFailedNode, OwnRollback


def test_quarantine_alone_takes_nothing_back() -> None:
    assert [policy for policy in OnFailedNode if not policy.takes_back] == [OnFailedNode.QUARANTINE]


def test_a_rollback_is_named_as_its_run_and_is_started_unless_something_was_in_the_way() -> None:
    policy = OnFailedNode.ROLLBACK_NODE
    started = OwnRollback(policy=policy, campaign="rollback__lab", run_id="r", hosts=("a", "b"))
    assert str(started) == "rollback__lab r (a, b)"
    assert started.is_started
    assert not replace(started, not_started="the DAG is paused").is_started


def test_where_the_whole_campaign_is_taken_back_no_node_may_fail() -> None:
    for asked in ({"max_failed_nodes": 2}, {"max_failed_percent": 50}):
        plan = make_plan("a", "b", "c", "d", **asked, on_failed_node=OnFailedNode.ROLLBACK_NODE)
        assert plan.failures_allowed == 2
        request = replace(plan.request, on_failed_node=OnFailedNode.ROLLBACK_CAMPAIGN)
        assert replace(plan, request=request).failures_allowed == 0
