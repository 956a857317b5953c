from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from tests.builders import (
    BUNDLE,
    DOMAIN,
    NOW,
    disabled,
    leased,
    make_cloud,
    make_node,
    make_pair,
    make_plan,
    make_server,
)
from tests.upgrade_manager.clouds import clouds, few

from escalator.model.check_report import Condition
from escalator.model.cloud import CloudSnapshot, Migration, MigrationStatus, ServerGroup
from escalator.model.verdict import Code, Severity, Subject, SubjectType
from escalator.upgrade_manager.conditions.leaving_out import (
    Remainder,
    find_blocked_hosts,
    leave_blocked_out,
    leave_nodes_out,
)
from escalator.upgrade_manager.conditions.question import Question, ask, unmet
from escalator.upgrade_manager.conditions.upgrade import check_upgrade

NODES = [make_node(host) for host in "abc"]
HOSTS = ("a", "b", "c")


def leave(
    snapshot: CloudSnapshot, *hosts: str, reachable: Mapping[str, str | None] | None = None
) -> Remainder:
    question = ask(make_plan(*hosts or HOSTS), snapshot, bundle=BUNDLE, reachable=reachable or {})
    return leave_blocked_out(question, check_upgrade)


def test_where_nothing_blocks_nobody_is_left_out() -> None:
    found = leave(make_cloud(NODES, [make_server("s", "a")]))
    assert (found.left_out, found.report.met) == ((), True)
    assert found.question.plan.hosts == HOSTS


def test_one_server_in_error_costs_its_node_and_no_other() -> None:
    odd = make_server("odd", "b", vm_state="error")
    found = leave(make_cloud(NODES, [make_server("s", "a"), odd]))
    assert found.report.met
    assert found.question.plan.hosts == ("a", "c")
    (node,) = found.left_out
    assert (node.host, node.code) == ("b", Code.SERVER_ERROR)
    assert node.message.startswith("left out of the campaign: server odd (id-odd): on b: it is in ERROR")
    assert " -> " in node.message
    (said,) = [c for c in found.report.unmet if c.message.startswith("b left out of the campaign")]
    assert (said.severity, said.subject, said.remedy is None) == (Severity.WARNING, odd.subject, False)


def test_several_reasons_of_a_node_are_counted_after_the_first() -> None:
    odd = [make_server(f"odd-{n}", "b", vm_state="error") for n in range(5)]
    (node,) = leave(make_cloud(NODES, odd)).left_out
    assert node.message.count("it is in ERROR") == 3
    assert node.message.endswith("2 more in the check")


def test_a_node_out_of_reach_is_left_out_by_its_name_alone() -> None:
    found = leave(make_cloud(NODES), reachable={"a": None, "b": "no route to host", "c": None})
    (node,) = found.left_out
    assert (node.host, node.code) == ("b", Code.NODE_UNREACHABLE)
    assert "node b" not in node.message


def test_where_every_node_is_blocked_nothing_is_left_out_and_all_reasons_are_told() -> None:
    odd = [make_server(f"odd-{host}", host, vm_state="error") for host in HOSTS]
    found = leave(make_cloud(NODES, odd))
    assert found.left_out == ()
    assert {c.subject.name for c in found.report.unmet if c.blocks} == {"odd-a", "odd-b", "odd-c"}


def test_a_node_that_needs_nothing_is_no_node_to_go_on_with() -> None:
    nodes = [make_node("a"), make_node("b", upgraded=True), make_node("c", upgraded=True)]
    found = leave(make_cloud(nodes, [make_server("odd", "a", vm_state="error")]))
    assert (found.left_out, found.report.met) == ((), False)


def test_a_node_that_another_campaign_will_give_back_is_one() -> None:
    nodes = [make_node("a"), leased(make_node("b"), make_plan("b", campaign="other")), make_node("c")]
    odd = [make_server(f"odd-{host}", host, vm_state="error") for host in "ac"]
    found = leave(make_cloud(nodes, odd))
    assert ([node.host for node in found.left_out], found.report.met) == (["a", "c"], True)


def test_what_concerns_the_whole_campaign_refuses_it() -> None:
    newer = replace(BUNDLE, components=(replace(BUNDLE.components[0], to="99.0.0"),))
    nodes = [make_node(host, versions={"nova-compute": "33.0.0"}) for host in HOSTS]
    question = ask(make_plan(*HOSTS), make_cloud(nodes), bundle=newer, reachable={})
    found = leave_blocked_out(question, check_upgrade)
    assert (found.left_out, found.report.met) == ((), False)


def test_a_node_ahead_of_the_bundle_is_left_out() -> None:
    versions = {"a": "33.0.0", "b": "33.0.0", "c": "35.0.0"}
    nodes = [make_node(host, versions={"nova-compute": versions[host]}) for host in HOSTS]
    (node,) = leave(make_cloud(nodes)).left_out
    assert (node.host, node.code) == ("c", Code.VERSION_DOWNGRADE)


def test_a_server_larger_than_every_other_node_costs_its_node() -> None:
    nodes = [make_node("a", memory=65536), make_node("b"), make_node("c")]
    found = leave(make_cloud(nodes, [make_server("giant", "a", memory=32768)]))
    assert [node.host for node in found.left_out] == ["a"]
    assert found.report.met


@pytest.mark.parametrize("policy", ["affinity", "anti-affinity"])
def test_a_deadlocked_group_costs_the_nodes_of_its_members(policy: str) -> None:
    where = "aa" if policy == "affinity" else "ab"
    servers = [make_server(f"m{n}", host, server_group="g") for n, host in enumerate(where)]
    group = ServerGroup(id="g", policy=policy, members=tuple(s.id for s in servers))
    nodes = [make_node("a"), make_node("b"), make_node("c", domain="cell1/az2/general")]
    rest = make_node("d", domain="cell1/az2/general")
    found = leave(make_cloud([*nodes, rest], servers, server_groups=(group,)), "a", "b", "c", "d")
    assert {node.host for node in found.left_out} == set(where)
    assert found.report.met


def test_a_group_that_can_never_lose_a_member_costs_the_nodes_of_its_members() -> None:
    group, members = make_pair("db", "a", "b")
    found = leave(make_cloud(NODES, members, ha_groups=(replace(group, max_impacted=0),)))
    assert [(node.host, node.code) for node in found.left_out] == [
        ("a", Code.HA_NEVER),
        ("b", Code.HA_NEVER),
    ]
    assert found.report.met


def test_nodes_left_out_take_servers_and_are_no_targets() -> None:
    snapshot = make_cloud([make_node(host, target=True) for host in HOSTS])
    left_out = leave(replace(snapshot, servers=(make_server("odd", "b", vm_state="error"),))).left_out
    after = leave_nodes_out(snapshot, left_out)
    assert [node.target for node in after.nodes] == [True, False, True]
    assert all(node.eligible_destination for node in after.nodes)
    assert leave_nodes_out(snapshot, ()) is snapshot


@pytest.mark.parametrize(
    ("subject", "hosts", "expected"),
    [
        (Subject.of_node("b"), (), ("b",)),
        (Subject.of_node("elsewhere"), (), ()),
        (Subject.of_server("id-s", "s"), (), ("a",)),
        (Subject.of_server("id-unknown", "x"), (), ()),
        (Subject(type=SubjectType.MIGRATION, id="u"), (), ("a", "c")),
        (Subject(type=SubjectType.DOMAIN, id=DOMAIN), (), ()),
        (Subject(type=SubjectType.DOMAIN, id=DOMAIN), ("b", "elsewhere"), ("b",)),
        (Subject(type=SubjectType.BUNDLE, id="nova-34"), (), ()),
    ],
)
def test_a_blocker_belongs_to_the_nodes_of_its_subject(
    subject: Subject, hosts: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    moving = Migration(
        id=1,
        uuid="u",
        server_id="id-s",
        type="live-migration",
        status=MigrationStatus.RUNNING,
        source_host="c",
        dest_host="a",
        created_at=NOW,
    )
    question = ask(make_plan(*HOSTS), make_cloud(NODES, [make_server("s", "a")], migrations=(moving,)))
    condition = unmet(Code.INTERNAL, subject, "odd", "mend it", hosts=hosts)
    assert find_blocked_hosts(condition, question) == expected


@few
@given(clouds())
def test_what_goes_on_is_met_and_every_node_is_accounted_for(snapshot: CloudSnapshot) -> None:
    hosts = tuple(node.host for node in snapshot.nodes)

    def ask_again(question: Question) -> list[Condition]:
        return [condition for condition in check_upgrade(question).conditions if condition.blocks]

    found = leave(snapshot, *hosts)
    assert sorted([*found.question.plan.hosts, *(node.host for node in found.left_out)]) == sorted(hosts)
    assert found.report.met == (not ask_again(found.question))
    assert found.report.met or not found.left_out


def test_a_disabled_node_that_blocks_nothing_stays_in_the_plan() -> None:
    found = leave(make_cloud([make_node("a"), disabled(make_node("b")), make_node("c")]))
    assert (found.left_out, found.question.plan.hosts) == ((), HOSTS)
