from __future__ import annotations

from typing import Any

from tests.builders import disabled, make_cloud, make_node, make_server

from escalator.model.cloud import Node
from escalator.upgrade_manager.feasibility.sequence import drain_in_turn, upgrade_on_paper
from escalator.upgrade_manager.versions.release_version import ReleaseVersion

OLD, NEW = "8.2.0", "9.2.0"


def aged(host: str, version: str | None, **fields: Any) -> Node:
    return make_node(host, versions={"hypervisor": version} if version else {}, **fields)


def test_a_node_that_lacks_room_at_first_goes_when_another_one_is_empty() -> None:
    nodes = [make_node("a", memory=8192), make_node("b", memory=8192)]
    servers = [make_server("giant", "a", memory=8192), make_server("s", "b", memory=1024)]
    assert drain_in_turn(make_cloud([*nodes, make_node("c", memory=2048)], servers), ["a", "b"]).order == (
        "b",
        "a",
    )


def test_a_node_that_is_out_takes_no_server_until_it_was_emptied_itself() -> None:
    nodes = [make_node("a"), disabled(make_node("b"))]
    sequence = drain_in_turn(make_cloud(nodes, [make_server("s", "a")]), ["a"])
    assert (sequence.order, list(sequence.stuck)) == ((), ["a"])
    assert drain_in_turn(make_cloud(nodes, [make_server("s", "a")]), ["a", "b"]).order == ("b", "a")


def test_servers_do_not_go_to_an_older_hypervisor_but_to_an_unknown_one() -> None:
    servers = [make_server("s", "a")]
    assert drain_in_turn(make_cloud([aged("a", NEW), aged("b", OLD)], servers), ["a"]).older == {"a": {"b"}}
    for other in (NEW, "9.10.0", None, "no version"):
        assert drain_in_turn(make_cloud([aged("a", NEW), aged("b", other)], servers), ["a"]).feasible
    assert drain_in_turn(make_cloud([aged("a", None), aged("b", OLD)], servers), ["a"]).feasible


def test_an_upgraded_node_has_the_hypervisor_that_the_upgrade_brings() -> None:
    snapshot = make_cloud(
        [aged("a", OLD), aged("b", OLD)], [make_server("s", "a"), make_server("t", "b", memory=4096)]
    )
    forward = drain_in_turn(snapshot, ["a", "b"], brings=ReleaseVersion.parse(NEW))
    assert forward.order == ("a", "b")
    after = upgrade_on_paper(snapshot, ["a"], brings=ReleaseVersion.parse(NEW))
    assert [(n.host, n.upgraded, n.versions["hypervisor"]) for n in after.nodes] == [
        ("a", True, NEW),
        ("b", False, OLD),
    ]
    assert [(s.name, s.host) for s in after.servers] == [("s", "b"), ("t", "b")]


def test_nothing_is_upgraded_when_nothing_is_asked() -> None:
    snapshot = make_cloud([make_node("a"), make_node("b")], [make_server("s", "a")])
    assert upgrade_on_paper(snapshot, []) == snapshot
    assert drain_in_turn(snapshot, []).feasible
