from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import BUNDLE, make_plan

from escalator.model.campaign import LedgerView, NodeProgress, NodeState, RunOf
from escalator.model.failed_nodes import OnFailedNode
from escalator.model.verdict import Code
from escalator.upgrade_manager.state.failed_nodes import choose_policy, find_to_take_back, settle_policy

NODE, CAMPAIGN = OnFailedNode.ROLLBACK_NODE, OnFailedNode.ROLLBACK_CAMPAIGN
HOSTS = ("a", "b", "c", "d", "e", "f")
CHANGED = ("a", "b", "c", "d", "f")
VIEW = LedgerView(
    nodes=(
        NodeProgress(host="a", state=NodeState.RELEASED),
        NodeProgress(host="b", state=NodeState.FAILED),
        NodeProgress(host="c", state=NodeState.HELD),
        NodeProgress(host="d", state=NodeState.HELD, code=Code.LEASE_LOST),
        NodeProgress(host="e", state=NodeState.HELD),
        NodeProgress(host="f", state=NodeState.UPGRADING),
    )
)
"""A node that is back, one that failed, one held after it was changed, one that somebody took, one held with
its old software, one that nobody gave back: its lease says that it is worked on."""


def taken_back(policy: OnFailedNode | None, view: LedgerView = VIEW, **more: object) -> tuple[str, ...]:
    return find_to_take_back(make_plan(*HOSTS, on_failed_node=policy, **more), view, CHANGED)


def test_the_word_of_the_run_goes_before_that_of_its_bundle() -> None:
    bundle = replace(BUNDLE, on_failed_node=CAMPAIGN)
    for asked, given, chosen in (
        (None, BUNDLE, OnFailedNode.QUARANTINE),
        (None, bundle, CAMPAIGN),
        (NODE, bundle, NODE),
        (OnFailedNode.QUARANTINE, bundle, OnFailedNode.QUARANTINE),
    ):
        request = make_plan(on_failed_node=asked).request
        assert choose_policy(request, given) is chosen
        assert (settle_policy(request, given).on_failed_node or OnFailedNode.QUARANTINE) is chosen
    request = make_plan().request
    assert settle_policy(request, BUNDLE) is request


@pytest.mark.parametrize(
    ("policy", "hosts"),
    [(None, ()), (OnFailedNode.QUARANTINE, ()), (NODE, ("b", "c")), (CAMPAIGN, ("a", "b", "c"))],
)
def test_what_the_run_changed_and_left_out_is_taken_back(
    policy: OnFailedNode | None, hosts: tuple[str, ...]
) -> None:
    assert taken_back(policy) == hosts


def test_a_campaign_in_which_no_node_failed_is_not_taken_back() -> None:
    held = tuple(node for node in VIEW.nodes if node.host not in {"b", "c"})
    assert taken_back(CAMPAIGN, LedgerView(nodes=held)) == ()


def test_nothing_takes_back_a_dry_run_or_a_rollback() -> None:
    assert taken_back(NODE, dry_run=True) == ()
    plan = make_plan(*HOSTS, on_failed_node=NODE)
    back = replace(plan, undoes=RunOf(campaign="upgrade__lab", run_id="r", version="34.0.0"))
    assert find_to_take_back(back, VIEW, CHANGED) == ()


def test_a_node_that_has_its_rollback_gets_no_other() -> None:
    plan = make_plan(*HOSTS, on_failed_node=CAMPAIGN)
    assert find_to_take_back(plan, VIEW, CHANGED, known=("b",)) == ("a", "c")
    assert find_to_take_back(plan, VIEW, CHANGED, known=("a", "b", "c")) == ()


@pytest.mark.parametrize("code", [Code.ORDER_HOLD, Code.ORDER_ABORT_MOVES])
@pytest.mark.parametrize("policy", [NODE, CAMPAIGN])
def test_a_node_that_a_person_holds_is_not_taken_from_that_person(policy: OnFailedNode, code: Code) -> None:
    held = NodeProgress(host="c", state=NodeState.HELD, code=code)
    back = NodeProgress(host="a", state=NodeState.RELEASED)
    assert taken_back(policy, LedgerView(nodes=(back, held))) == ()
    failed = NodeProgress(host="b", state=NodeState.FAILED)
    assert "c" not in taken_back(policy, LedgerView(nodes=(back, failed, held)))


def test_a_node_that_was_upgraded_and_came_to_the_door_again_goes_back_with_its_campaign() -> None:
    again = NodeProgress(host="a", state=NodeState.SKIPPED, code=Code.ALREADY_UPGRADED)
    failed = NodeProgress(host="b", state=NodeState.FAILED)
    others = NodeProgress(host="c", state=NodeState.SKIPPED, code=Code.DISABLED_BY_OTHERS)
    assert taken_back(CAMPAIGN, LedgerView(nodes=(again, failed, others))) == ("a", "b")
