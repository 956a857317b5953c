from __future__ import annotations

import pytest
from tests.builders import (
    DOMAIN,
    disabled,
    leased,
    make_cloud,
    make_node,
    make_plan,
    make_server,
)
from tests.upgrade_manager.conditions.findings import PLAN, brief, find_unmet

from escalator.model.lease import LeaseMark
from escalator.model.verdict import Code, Severity, Subject, Verdict
from escalator.upgrade_manager.conditions.question import (
    ask,
)
from escalator.upgrade_manager.conditions.targets import check_presence, check_reach
from escalator.upgrade_manager.conditions.upgrade import check_upgrade


def test_a_target_that_the_cloud_does_not_have() -> None:
    assert brief(find_unmet(make_cloud([make_node("a")]))) == [("b", Code.NODE_UNKNOWN, Severity.BLOCKER)]


def test_disabled_by_a_person_is_named() -> None:
    (verdict,) = find_unmet(make_cloud([disabled(make_node("a")), make_node("b"), disabled(make_node("c"))]))
    assert brief((verdict,)) == [("a", Code.DISABLED_BY_OTHERS, Severity.INFO)]
    assert "broken fan" in verdict.message
    assert verdict.remedy


@pytest.mark.parametrize("mark", [None, LeaseMark.FAILED])
def test_leased_by_another_campaign(mark: LeaseMark | None) -> None:
    other = make_plan("a", campaign="other", run_id="other-run")
    verdict, *waits = find_unmet(make_cloud([leased(make_node("a"), other, mark), make_node("b")]))
    assert brief((verdict,)) == [("a", Code.LEASED_BY_OTHERS, Severity.WARNING)]
    assert "campaign other" in verdict.message
    assert ("FAILED" in verdict.message) == (mark is not None)
    assert bool(waits) == (mark is None)  # a marked one counts against nobody


def test_our_own_lease_is_no_finding() -> None:
    assert (
        find_unmet(make_cloud([leased(make_node("a"), PLAN), make_node("b")], [make_server("s", "a")])) == ()
    )


def test_what_the_mechanism_lacks_on_a_node_has_a_code_of_its_own() -> None:
    lacks = Verdict(
        code=Code.STAGE_FAILED, message="no source", subject=Subject.of_node("b"), remedy="offer it"
    )
    question = ask(PLAN, make_cloud([make_node("a"), make_node("b")]), reachable={}, lacking={"b": [lacks]})
    blocking = [c.verdict for c in check_upgrade(question).conditions if c.blocks]
    assert blocking == [lacks]


def test_unreachable_targets() -> None:
    verdicts = find_unmet(
        make_cloud([make_node("a"), make_node("b")]),
        reachable={"a": None, "b": "host key unknown", "x": "no"},
    )
    assert brief(verdicts) == [("b", Code.NODE_UNREACHABLE, Severity.BLOCKER)]
    assert "host key unknown" in verdicts[0].message


def test_targets_that_nobody_tried_to_reach_are_said_to_be_unproven() -> None:
    snapshot = make_cloud([make_node("a"), disabled(make_node("b"))])
    (condition,) = check_reach(ask(PLAN, snapshot), DOMAIN)
    assert (condition.code, condition.severity, condition.met) == (Code.NOT_CHECKED, Severity.INFO, False)


def test_a_campaign_without_a_node_that_can_go_has_nothing_to_do() -> None:
    (condition,) = check_presence(ask(PLAN, make_cloud([disabled(make_node(h)) for h in "ab"])), "")
    assert (condition.code, condition.blocks) == (Code.REQUEST_NO_HOST, True)
    assert condition.message == "none of the 2 targets can be upgraded"
    (condition,) = check_presence(ask(PLAN, make_cloud([make_node(h, upgraded=True) for h in "ab"])), "")
    assert (condition.code, condition.met) == (Code.ALREADY_UPGRADED, True)


def test_what_nova_disabled_itself_is_warned_of_as_no_persons_doing() -> None:
    lost = disabled(make_node("a"), "AUTO: Connection to libvirt lost: 1")
    (verdict,) = find_unmet(make_cloud([lost, make_node("b")]))
    assert brief((verdict,)) == [("a", Code.DISABLED_BY_NOVA, Severity.WARNING)]
    assert "no person did" in verdict.message
    assert "libvirt" in str(verdict.remedy)
