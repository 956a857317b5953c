from __future__ import annotations

import pytest
from tests.builders import (
    DOMAIN,
    down,
    make_cloud,
    make_node,
    make_plan,
    make_server,
)

from escalator.model.check_report import Condition
from escalator.model.cloud import (
    CloudSnapshot,
    ServerGroup,
)
from escalator.model.verdict import Code, Subject, SubjectType
from escalator.upgrade_manager.conditions.deadlocks import check_deadlocks
from escalator.upgrade_manager.conditions.question import (
    ask,
)


def find(snapshot: CloudSnapshot, *hosts: str) -> list[Condition]:
    return list(check_deadlocks(ask(make_plan(*hosts), snapshot), DOMAIN))


NODES = [make_node("a"), make_node("b")]


def test_where_every_server_has_a_place_nothing_is_said() -> None:
    assert find(make_cloud(NODES, [make_server("s", "a")]), "a", "b") == []


@pytest.mark.parametrize(
    ("policy", "hosts", "remedy"),
    [("affinity", "aa", "soft-affinity"), ("anti-affinity", "ab", "1 more node")],
)
def test_a_server_group_that_lets_nobody_go_first(policy: str, hosts: str, remedy: str) -> None:
    servers = [make_server(f"s{i}", host) for i, host in enumerate(hosts)]
    group = ServerGroup(id="g", policy=policy, members=tuple(s.id for s in servers))
    (condition,) = find(make_cloud(NODES, servers, server_groups=(group,)), "a")
    assert (condition.code, condition.blocks) == (Code.GROUP_DEADLOCK, True)
    assert condition.subject == Subject(type=SubjectType.SERVER_GROUP, id="g")
    assert remedy in (condition.remedy or "")


@pytest.mark.parametrize(
    ("most", "remedy"), [(1, "4 more nodes"), (2, "1 more node in"), (2, "scaled in by 2"), (3, None)]
)
def test_six_members_on_three_nodes_move_with_three_a_node(most: int, remedy: str | None) -> None:
    servers = [make_server(f"s{i}", "abc"[i % 3]) for i in range(6)]
    members = tuple(s.id for s in servers)
    group = ServerGroup(id="g", policy="anti-affinity", members=members, max_server_per_host=most)
    nodes = [make_node(host) for host in "abc"]
    found = find(make_cloud(nodes, servers, server_groups=(group,)), "a", "b", "c")
    assert [c.code for c in found] == ([] if remedy is None else [Code.GROUP_DEADLOCK])
    assert all(remedy is not None and remedy in str(c.remedy) for c in found)


def test_servers_whose_zone_is_nowhere_else() -> None:
    nodes = [make_node("a"), make_node("b", zone="az2")]
    (condition,) = find(make_cloud(nodes, [make_server("s", "a", pinned_zone="az1")]), "a")
    assert condition.code is Code.SERVER_PINNED
    assert condition.message == "1 server pinned to zone az1 (s) may go to no other node of the domain"


def test_traits_that_no_other_node_has_are_named() -> None:
    nodes = [make_node("a", traits=frozenset({"SSD", "GPU"})), make_node("b", traits=frozenset({"SSD"}))]
    server = make_server("s", "a", required_traits=frozenset({"SSD", "GPU"}))
    (condition,) = find(make_cloud(nodes, [server]), "a")
    assert condition.code is Code.NO_DESTINATION
    assert condition.message == "s on a: no other node of the domain that takes servers has the traits GPU"


def test_a_domain_without_another_node() -> None:
    (condition,) = find(make_cloud([make_node("a"), down(make_node("b"))], [make_server("s", "a")]), "a")
    assert condition.code is Code.NO_DESTINATION
    assert condition.message == "s on a: no other node of the domain takes servers"


def test_a_server_that_fits_on_no_other_node_were_it_empty() -> None:
    nodes = [make_node("a"), make_node("b", memory=4096)]
    large, small = make_server("large", "a", memory=4097), make_server("small", "a", memory=4096)
    (condition,) = find(make_cloud(nodes, [large, small]), "a")
    assert (condition.code, condition.subject) == (Code.SERVER_TOO_LARGE, large.subject)


def test_a_server_on_a_hypervisor_that_is_older_elsewhere() -> None:
    nodes = [
        make_node("a", versions={"hypervisor": "9.2.0"}),
        make_node("b", versions={"hypervisor": "8.0.0"}),
    ]
    (condition,) = find(make_cloud(nodes, [make_server("s", "a")]), "a")
    assert condition.code is Code.HYPERVISOR_OLDER
    assert "s on a: its hypervisor is 9.2.0" in condition.message
