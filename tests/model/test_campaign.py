from tests.builders import make_plan

from escalator.model.campaign import LedgerView, NodeProgress, NodeState


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
