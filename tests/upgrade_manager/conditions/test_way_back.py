from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import BUNDLE, make_cloud, make_plan, make_target

from escalator.model.bundle import (
    AnsibleMechanism,
    AptMechanism,
    Bundle,
    CommandMechanism,
    Mechanism,
    PlaybookRun,
    VenvMechanism,
)
from escalator.model.campaign import CampaignPlan, RunOf
from escalator.model.failed_nodes import OnFailedNode
from escalator.model.verdict import Code, Severity
from escalator.upgrade_manager.conditions.question import Question, ask
from escalator.upgrade_manager.conditions.way_back import check_way_back, find_one_way

COMMAND = CommandMechanism(version="v", activate="a", service="s")


@pytest.mark.parametrize(
    ("mechanism", "why"),
    [
        (VenvMechanism(venv="/v", package="nova", service="s"), ""),
        (replace(COMMAND, rollback="r"), ""),
        (COMMAND, "it says to support a rollback, but names no rollback command"),
        (AptMechanism(packages=()), ""),
        (
            AnsibleMechanism(service="s", version="v", activate=PlaybookRun(playbook="p.yml")),
            "it says to support a rollback, but names none for ansible",
        ),
    ],
)
def test_a_mechanism_without_a_way_back_says_why(mechanism: Mechanism, why: str) -> None:
    assert find_one_way(replace(BUNDLE, mechanism=mechanism)) == why


BY_VENV = VenvMechanism(venv="/v", package="nova", service="s")
VENV = replace(BUNDLE, mechanism=BY_VENV, rollback_supported=True)
WANTED = OnFailedNode.ROLLBACK_NODE


def asked(bundle: Bundle, plan: CampaignPlan) -> Question:
    return ask(plan, make_cloud([make_target("a"), make_target("b")]), bundle=bundle)


@pytest.mark.parametrize(
    ("bundle", "why"),
    [
        (replace(VENV, rollback_supported=False), "it does not say `rollback: {supported: true}`"),
        (replace(VENV, mechanism=COMMAND), "names no rollback command"),
        (replace(BUNDLE, rollback_supported=True), "it brings nothing"),
    ],
)
def test_where_failed_nodes_are_to_be_taken_back_a_bundle_without_a_way_back_is_in_the_way(
    bundle: Bundle, why: str
) -> None:
    for plan, given in (
        (make_plan("a", "b", on_failed_node=WANTED), bundle),
        (make_plan("a", "b"), replace(bundle, on_failed_node=OnFailedNode.ROLLBACK_CAMPAIGN)),
    ):
        (found,) = check_way_back(asked(given, plan), given)
        assert (found.code, found.met, found.severity) == (Code.NO_WAY_BACK, False, Severity.BLOCKER)
        assert why in found.message
        assert "on_failed_node: quarantine" in str(found.remedy)
    quarantined = make_plan("a", "b", on_failed_node=OnFailedNode.QUARANTINE)
    said = check_way_back(asked(bundle, quarantined), replace(bundle, on_failed_node=WANTED))
    assert not any(condition.blocks for condition in said)


def test_a_way_back_is_no_obstacle_and_a_rollback_needs_none() -> None:
    plan = make_plan("a", "b", on_failed_node=WANTED)
    assert not any(condition.blocks for condition in check_way_back(asked(VENV, plan), VENV))
    back = replace(plan, undoes=RunOf(campaign="upgrade__lab", run_id="r", version="34.0.0"))
    assert list(check_way_back(asked(BUNDLE, back), BUNDLE)) == []
