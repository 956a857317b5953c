from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import make_cloud, make_node, make_server, make_target
from tests.conftest import ROOT

from escalator.model.check_report import CheckReport
from escalator.model.cloud import CloudSnapshot
from escalator.model.unread import CloudPart, Unread
from escalator.model.verdict import Code, Severity
from escalator.upgrade_manager.conditions.question import ask
from escalator.upgrade_manager.conditions.rollback import check_rollback
from escalator.upgrade_manager.conditions.unread import POLICIES
from escalator.upgrade_manager.conditions.upgrade import check_upgrade, plan_of_check

KNOWN = make_cloud(
    [make_target("a"), make_node("b"), make_node("c")],
    [make_server("web", "a"), make_server("broken", "a", vm_state="error")],
)


WARNED_OF = {CloudPart.AGENTS, CloudPart.SHARES}


def lacking(*parts: CloudPart) -> CloudSnapshot:
    unread = tuple(Unread(part=part, message="HTTP 403: no") for part in parts)
    return make_cloud(KNOWN.nodes, () if CloudPart.SERVERS in parts else KNOWN.servers, unread=unread)


def check(snapshot: CloudSnapshot) -> CheckReport:
    return check_upgrade(ask(plan_of_check(snapshot, ["a"]), snapshot))


@pytest.mark.parametrize("part", CloudPart)
def test_every_list_that_was_not_read_is_named_with_the_policies_that_allow_it(part: CloudPart) -> None:
    (condition,) = [c for c in check(lacking(part)).conditions if c.code is Code.NOT_LOOKED_AT]
    assert part.replace("_", " ") in condition.message
    assert "not known" in condition.message
    assert all(policy in str(condition.remedy) for policy in POLICIES[part])
    assert condition.severity is (Severity.WARNING if part in WARNED_OF else Severity.BLOCKER)


def test_what_needs_a_list_is_not_judged_without_it() -> None:
    """A node whose servers nobody may list does not look empty."""
    report = check(lacking(CloudPart.SERVERS))
    assert not report.met
    assert report.expected.p90 == 0
    judged = {condition.code for condition in report.conditions}
    assert judged.isdisjoint({Code.SERVERS_MOVABLE, Code.CAPACITY, Code.VNF_REDUNDANCY, Code.SYSTEM_NORMAL})


def test_what_does_not_need_it_is_judged_all_the_same() -> None:
    codes = {c.code for c in check(lacking(CloudPart.PLACEMENT)).conditions}
    assert {Code.NOT_LOOKED_AT, Code.SERVER_ERROR} <= codes
    assert Code.CAPACITY not in codes


def test_agents_that_may_not_be_listed_only_warn() -> None:
    known, warned = check(KNOWN), check(lacking(CloudPart.AGENTS))
    rest = [c for c in warned.conditions if c.code is not Code.NOT_LOOKED_AT]
    assert rest == list(known.conditions)
    assert warned.expected == known.expected


def test_the_way_back_is_not_judged_by_what_is_not_known() -> None:
    snapshot = lacking(CloudPart.SERVERS, CloudPart.SERVER_GROUPS)
    report = check_rollback(ask(plan_of_check(snapshot, ["a"]), snapshot))
    assert not report.met
    assert [c.code for c in report.conditions].count(Code.NOT_LOOKED_AT) == 2
    assert not any(condition.met for condition in report.conditions)


def test_the_manual_has_every_policy() -> None:
    manual = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")
    assert [p for policies in POLICIES.values() for p in policies if f"`{p}`" not in manual] == []


def test_a_list_that_is_shown_in_part_warns_and_is_judged() -> None:
    partly = Unread(part=CloudPart.SERVER_GROUPS, message="those of other projects", partly=True)
    known, warned = check(KNOWN), check(replace(KNOWN, unread=(partly,)))
    (said,) = [c for c in warned.conditions if c.code is Code.NOT_LOOKED_AT]
    assert said.severity is Severity.WARNING
    assert "may lack something" in said.message
    assert [c for c in warned.conditions if c is not said] == list(known.conditions)
