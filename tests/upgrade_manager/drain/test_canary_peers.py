from __future__ import annotations

from dataclasses import replace

from tests.builders import disabled, make_cloud, make_node, make_server

from escalator.model.cloud import CloudSnapshot, Node
from escalator.upgrade_manager.drain.canary_peers import CanaryPeer, choose_peers

CANARY = make_server("canary", "a", memory=64)


def peers(*nodes: Node, pending: str = "") -> list[tuple[str, bool]]:
    found = choose_peers(make_cloud(nodes), CANARY, pending=pending)
    return [(peer.host, peer.takes_back) for peer in found]


def runs(host: str, version: str) -> Node:
    return replace(make_node(host), versions={"hypervisor": version})


def test_upgraded_nodes_come_first_then_spare_ones_then_those_still_to_be_upgraded() -> None:
    nodes = [make_node("a"), make_node("b"), make_node("c"), make_node("d", upgraded=True)]
    assert [host for host, _ in peers(*nodes, pending="b")] == ["d", "c", "b"]


def test_nodes_that_are_out_full_or_elsewhere_are_none() -> None:
    full = make_node("full", memory=32)
    far = make_node("far", domain="cell1/az1/fast")
    assert peers(make_node("a"), disabled(make_node("out"), "broken"), full, far) == []


def test_an_older_hypervisor_takes_no_canary_back_and_a_newer_one_sends_none() -> None:
    nodes = runs("a", "8.2.0"), runs("old", "7.2.0"), runs("same", "8.2.0"), runs("new", "9.0.0")
    assert sorted(peers(*nodes)) == [("old", False), ("same", True)]


def test_a_canary_of_a_node_that_is_not_known_has_no_peer() -> None:
    cloud: CloudSnapshot = make_cloud([make_node("b")])
    assert choose_peers(cloud, CANARY, pending=()) == ()
    assert CanaryPeer(host="b", takes_back=True)
