from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import disabled, down, leased, make_cloud, make_node, make_pair, make_plan, make_server

from escalator.model.check_report import Condition
from escalator.model.cloud import CloudSnapshot, HaGroup
from escalator.model.verdict import Code, Severity, SubjectType
from escalator.upgrade_manager.conditions.question import ask
from escalator.upgrade_manager.conditions.upgrade import check_upgrade, plan_of_check


def about_groups(snapshot: CloudSnapshot, *hosts: str) -> list[Condition]:
    plan = plan_of_check(snapshot, hosts or [n.host for n in snapshot.nodes])
    report = check_upgrade(ask(plan, snapshot))
    return [c for c in report.conditions if c.subject.type is SubjectType.HA_GROUP]


NODES = [make_node("a"), make_node("b"), make_node("c")]


def test_a_healthy_pair_is_met() -> None:
    group, servers = make_pair("vnf", "a", "b")
    snapshot = make_cloud(NODES, servers, ha_groups=(group,))
    assert about_groups(snapshot) == []
    report = check_upgrade(ask(plan_of_check(snapshot, ["a", "b"]), snapshot))
    said = [c.message for c in report.conditions if c.code is Code.VNF_REDUNDANCY]
    assert said == ["1 HA group can do without the members on any one target"]


def test_notice_is_told() -> None:
    group, servers = make_pair("vnf", "a", "b", lead_seconds=120.0)
    (condition,) = about_groups(make_cloud(NODES, servers, ha_groups=(group,)))
    assert (condition.code, condition.met) == (Code.HA_NOTICE, True)
    assert "120 s of notice" in condition.message


def test_notice_of_a_server_without_a_group_is_told() -> None:
    alone = make_server("alone", "a", lead_seconds=40.0)
    snapshot = make_cloud(NODES, [alone, make_server("other", "b")])
    report = check_upgrade(ask(plan_of_check(snapshot, ["a", "b"]), snapshot))
    (condition,) = [c for c in report.conditions if c.code is Code.HA_NOTICE]
    assert (condition.met, condition.subject) == (True, alone.subject)
    assert "40 s of notice before a goes out" in condition.message


def test_a_member_that_the_cloud_does_not_have_counts_as_impacted() -> None:
    group, servers = make_pair("vnf", "a", "b")
    found = about_groups(make_cloud(NODES, servers[:1], ha_groups=(group,)))
    assert [(c.code, c.severity) for c in found] == [
        (Code.HA_MEMBER_MISSING, Severity.WARNING),
        (Code.HA_GROUP, Severity.BLOCKER),
    ]
    assert "id-vnf-s is on no node" in found[1].message


def test_a_group_of_one_has_no_redundancy() -> None:
    group, servers = make_pair("vnf", "a", "b")
    alone = replace(group, members=(servers[0].id,))
    codes = [c.code for c in about_groups(make_cloud(NODES, servers[:1], ha_groups=(alone,)))]
    assert Code.HA_NO_REDUNDANCY in codes


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"min_preserved": 2}, "scale it out by 1, or set min_preserved to 1"),
        ({"min_preserved": 5}, "scale it out by 4, or set min_preserved to 1"),
        ({"max_impacted": 0}, "set max_impacted to 1"),
    ],
)
def test_what_may_never_be_impacted_says_what_would_allow_it(fields: dict[str, int], words: str) -> None:
    group, servers = make_pair("vnf", "a", "b", **fields)
    (condition,) = about_groups(make_cloud(NODES, servers, ha_groups=(group,)))
    assert (condition.code, condition.blocks) == (Code.HA_NEVER, True)
    assert words in (condition.remedy or "")


@pytest.mark.parametrize("out", [down, disabled])
def test_a_member_on_a_node_that_is_out_blocks_the_nodes_of_the_others(out: object) -> None:
    group, servers = make_pair("vnf", "a", "b")
    nodes = [make_node("a"), out(make_node("b")), make_node("c")]  # type: ignore[operator]
    (condition,) = about_groups(make_cloud(nodes, servers, ha_groups=(group,)), "a", "c")
    assert (condition.code, condition.severity) == (Code.HA_GROUP, Severity.BLOCKER)
    assert "a cannot go out" in condition.message


def test_a_member_on_a_node_that_a_campaign_has_out_is_waited_for() -> None:
    group, servers = make_pair("vnf", "a", "b")
    other = make_plan("b", campaign="other", run_id="other-run")
    nodes = [make_node("a"), leased(make_node("b"), other), make_node("c")]
    (condition,) = about_groups(make_cloud(nodes, servers, ha_groups=(group,)), "a")
    assert (condition.code, condition.severity) == (Code.HA_GROUP, Severity.WARNING)


def test_limits_of_a_group_hold_though_nothing_stands_in_for_its_members() -> None:
    group, servers = make_pair("vnf", "a", "b", mode="none", min_preserved=2)
    (condition,) = about_groups(make_cloud(NODES, servers, ha_groups=(group,)))
    assert (condition.code, condition.severity) == (Code.HA_NEVER, Severity.BLOCKER)
    alone = replace(group, members=group.members[:1], max_impacted=1, min_preserved=None)
    assert about_groups(make_cloud(NODES, servers[:1], ha_groups=(alone,))) == []


def test_a_group_that_still_tolerates_one_is_only_warned_of() -> None:
    members = [make_server(f"m{h}", h, ha_group="g", ha_role="member") for h in "abc"]
    stopped = replace(members[0], vm_state="stopped", power_state="shutdown")
    group = HaGroup(id="g", mode="load-balanced", members=tuple(m.id for m in members), max_impacted=2)
    (condition,) = about_groups(make_cloud(NODES, [stopped, *members[1:]], ha_groups=(group,)))
    assert (condition.code, condition.severity) == (Code.HA_GROUP, Severity.WARNING)


def test_groups_of_mode_none_without_limits_and_groups_elsewhere_do_not_matter() -> None:
    group, servers = make_pair("vnf", "a", "b", mode="none")
    assert about_groups(make_cloud(NODES, servers, ha_groups=(group,))) == []
    group, servers = make_pair("vnf", "a", "b", min_preserved=2)
    assert about_groups(make_cloud(NODES, servers, ha_groups=(group,)), "c") == []
