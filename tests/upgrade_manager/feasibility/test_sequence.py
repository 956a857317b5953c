from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.upgrade_manager.clouds import cloud, disabled, node, server

from escalator.model.bundle import Bundle, Component, NoMechanism
from escalator.model.cloud import Node
from escalator.upgrade_manager.feasibility.sequence import after_upgrading, drain_in_turn
from escalator.upgrade_manager.state.hypervisors import (
    HypervisorAges,
    brought_version,
    hypervisor_of,
    read_version,
)
from escalator.upgrade_manager.versions.release_version import ReleaseVersion

OLD, NEW = "8.2.0", "9.2.0"


def aged(host: str, version: str | None, **fields: Any) -> Node:
    return node(host, versions={"hypervisor": version} if version else {}, **fields)


def test_a_node_that_lacks_room_at_first_goes_when_another_one_is_empty() -> None:
    nodes = [node("a", memory=8192), node("b", memory=8192)]
    servers = [server("giant", "a", memory=8192), server("s", "b", memory=1024)]
    assert drain_in_turn(cloud([*nodes, node("c", memory=2048)], servers), ["a", "b"]).order == ("b", "a")


def test_a_node_that_is_out_takes_no_server_until_it_was_emptied_itself() -> None:
    nodes = [node("a"), disabled(node("b"))]
    sequence = drain_in_turn(cloud(nodes, [server("s", "a")]), ["a"])
    assert (sequence.order, list(sequence.stuck)) == ((), ["a"])
    assert drain_in_turn(cloud(nodes, [server("s", "a")]), ["a", "b"]).order == ("b", "a")


def test_servers_do_not_go_to_an_older_hypervisor_but_to_an_unknown_one() -> None:
    servers = [server("s", "a")]
    assert drain_in_turn(cloud([aged("a", NEW), aged("b", OLD)], servers), ["a"]).older == {"a": {"b"}}
    for other in (NEW, "9.10.0", None, "no version"):
        assert drain_in_turn(cloud([aged("a", NEW), aged("b", other)], servers), ["a"]).feasible
    assert drain_in_turn(cloud([aged("a", None), aged("b", OLD)], servers), ["a"]).feasible


def test_an_upgraded_node_has_the_hypervisor_that_the_upgrade_brings() -> None:
    snapshot = cloud([aged("a", OLD), aged("b", OLD)], [server("s", "a"), server("t", "b", memory=4096)])
    forward = drain_in_turn(snapshot, ["a", "b"], brings=ReleaseVersion.parse(NEW))
    assert forward.order == ("a", "b")
    after = after_upgrading(snapshot, ["a"], brings=ReleaseVersion.parse(NEW))
    assert [(n.host, n.upgraded, n.versions["hypervisor"]) for n in after.nodes] == [
        ("a", True, NEW),
        ("b", False, OLD),
    ]
    assert [(s.name, s.host) for s in after.servers] == [("s", "b"), ("t", "b")]


def test_nothing_is_upgraded_when_nothing_is_asked() -> None:
    snapshot = cloud([node("a"), node("b")], [server("s", "a")])
    assert after_upgrading(snapshot, []) == snapshot
    assert drain_in_turn(snapshot, []).feasible


@pytest.mark.parametrize("name", ["hypervisor", "qemu", "qemu-kvm"])
def test_a_bundle_brings_a_hypervisor_by_any_of_its_names(name: str) -> None:
    bundle = Bundle(name="b", components=(Component(name=name, to=NEW),), mechanism=NoMechanism())
    assert brought_version(bundle) == ReleaseVersion.parse(NEW)
    assert brought_version(replace(bundle, components=())) is None
    assert brought_version(None) is None


def test_ages_follow_what_is_noted() -> None:
    a, b = aged("a", NEW), aged("b", OLD)
    ages = HypervisorAges([a, b])
    assert (ages.older("a"), ages.older("b"), ages.older("x")) == ({"b"}, set(), set())
    assert ages.mixed("cell1/az1/general")
    newest = read_version("10.0.0")
    assert newest is not None
    ages.note(b, newest)
    assert (ages.older("a"), ages.older("b")) == (set(), {"a"})
    assert hypervisor_of(aged("c", "junk")) is None
