from __future__ import annotations

import pytest
from tests.builders import (
    DOMAIN,
    leased,
    make_cloud,
    make_node,
    make_plan,
    make_server,
)
from tests.upgrade_manager.conditions.findings import brief, find_unmet

from escalator.model.cloud import HaGroup
from escalator.model.verdict import Code, Severity
from escalator.upgrade_manager.conditions.question import (
    ask,
)
from escalator.upgrade_manager.conditions.redundancy import compute_share, find_carried
from escalator.upgrade_manager.conditions.upgrade import check_upgrade


def test_room_that_may_return_is_only_a_warning() -> None:
    other = make_plan("b", campaign="other", run_id="other-run")
    snapshot = make_cloud([make_node("a"), leased(make_node("b"), other)], [make_server("s", "a")])
    assert ("a", Code.CAPACITY, Severity.WARNING) in brief(find_unmet(snapshot, make_plan("a")))


def test_room_that_vnfs_can_give_is_only_a_warning_with_how_many() -> None:
    members = [make_server("m1", "b", memory=9000, project_id="p"), make_server("m2", "c", project_id="p")]
    group = HaGroup(id="web", mode="load-balanced", members=tuple(m.id for m in members))
    nodes = [make_node("a"), make_node("b"), make_node("c", memory=4096)]
    snapshot = make_cloud(nodes, [make_server("big", "a", memory=8192), *members], ha_groups=(group,))
    for scalable, severity in ((("id-m1",), Severity.WARNING), (("id-m2",), Severity.BLOCKER)):
        question = ask(make_plan("a"), snapshot, scalable=frozenset(scalable))
        (found,) = [c for c in check_upgrade(question).unmet if c.code is Code.CAPACITY]
        assert (found.subject.id, found.severity) == ("a", severity)
        asked = "asked to scale in by 1 server of project p" in (found.remedy or "")
        assert asked is (severity is Severity.WARNING)


def test_nobody_is_to_scale_in_while_a_campaign_has_nodes_out() -> None:
    other = make_plan("b", campaign="other", run_id="other-run")
    member = make_server("m1", "c", memory=9000)
    nodes = [make_node("a"), leased(make_node("b"), other), make_node("c")]
    snapshot = make_cloud(
        nodes,
        [make_server("big", "a", memory=9000), member],
        ha_groups=(HaGroup(id="web", mode="load-balanced", members=("id-m1", "gone")),),
    )
    assert ask(make_plan("a"), snapshot, scalable=frozenset({"id-m1"})).scale_in == {}


def test_upgraded_targets_are_not_emptied_any_more() -> None:
    snapshot = make_cloud([make_node("a", upgraded=True)], [make_server("big", "a", memory=9999)])
    assert find_unmet(snapshot, make_plan("a")) == ()


def test_a_limit_beyond_the_capacity_names_the_one_that_works() -> None:
    nodes = [make_node(host, memory=8192) for host in "abcd"]
    servers = [make_server(f"s-{host}", host, memory=5000) for host in "abc"]
    (verdict,) = find_unmet(make_cloud(nodes, servers), make_plan("a", "b", "c", max_parallel=3))
    assert (verdict.code, verdict.severity) == (Code.REQUEST_PARALLEL_IMPOSSIBLE, Severity.WARNING)
    assert "a, b cannot be out together; 1 works" in verdict.message
    nodes.append(make_node("e", memory=8192))
    (verdict,) = find_unmet(make_cloud(nodes, servers), make_plan("a", "b", "c", max_parallel=3))
    assert "a, b, c cannot be out together; 2 works" in verdict.message
    assert "max_parallel=2" in (verdict.remedy or "")


def test_a_domain_gets_its_share_of_the_nodes_that_are_out_at_once() -> None:
    nodes = [make_node(f"{d}{i}", memory=8192, domain=d) for d in "xy" for i in range(3)]
    servers = [make_server(f"s-{n.host}", n.host, memory=4000) for n in nodes]
    hosts = tuple(n.host for n in nodes)
    assert find_unmet(make_cloud(nodes, servers), make_plan(*hosts, max_parallel=2)) == ()
    verdicts = find_unmet(make_cloud(nodes, servers), make_plan(*hosts, max_parallel=4))
    assert [v.subject.id for v in verdicts] == ["x", "y"]
    assert "max_parallel=4 (up to 2 in this domain)" in verdicts[0].message
    assert verdicts[0].remedy == "ask for max_parallel=2; otherwise nodes wait until there is room"


@pytest.mark.parametrize(("limit", "share"), [(1, 1), (2, 1), (3, 2), (6, 3)])
def test_a_domain_with_half_of_the_nodes_gets_half_of_the_places(limit: int, share: int) -> None:
    nodes = [make_node(f"{domain}{i}", domain=domain) for domain in "xy" for i in range(3)]
    question = ask(make_plan(*(n.host for n in nodes), max_parallel=limit), make_cloud(nodes))
    assert compute_share(question, "x") == share


def test_how_many_nodes_can_be_out_together() -> None:
    nodes = [make_node(host, memory=8192) for host in "abcd"]
    servers = [make_server(f"s-{host}", host, memory=5000) for host in "abc"]
    question = ask(make_plan("a", "b", "c", max_parallel=3), make_cloud(nodes, servers))
    assert find_carried(question, DOMAIN) == (1, ["a", "b"])
