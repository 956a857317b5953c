"""Nodes of one domain that do not run the same."""

from __future__ import annotations

from dataclasses import replace

from tests.builders import BUNDLE, make_cloud, make_node

from escalator.model.bundle import Bundle, Component
from escalator.model.cloud import Node
from escalator.upgrade_manager.state.drift import add_software, find_drift


def nodes(*versions: dict[str, str]) -> list[Node]:
    return [make_node(f"n{number}", versions=found) for number, found in enumerate(versions)]


def said(*versions: dict[str, str], bundle: Bundle | None = None) -> list[str]:
    return [
        str(drift) for drift in find_drift({node.host: node.versions for node in nodes(*versions)}, bundle)
    ]


def test_the_version_of_most_is_counted_and_the_odd_nodes_are_named() -> None:
    assert said(*[{"qemu": "7.2", "os": "Debian 12"}] * 3, {"qemu": "7.1"}) == ["qemu: 7.2 on 3; 7.1 on n3"]


def test_what_is_not_told_and_what_is_judged_elsewhere_is_no_drift() -> None:
    assert said({"qemu": "7.2"}, {}, {"libvirt": "9"}) == []
    assert said({"nova-compute": "33", "hypervisor": "7"}, {"nova-compute": "34", "hypervisor": "8"}) == []


def test_of_what_the_bundle_brings_the_nodes_that_have_it_are_left_aside() -> None:
    bundle = replace(BUNDLE, components=(Component(name="qemu", to="10.0"),))
    assert said({"qemu": "7.2"}, {"qemu": "10.0"}, bundle=bundle) == []
    assert said({"qemu": "7.2"}, {"qemu": "7.1"}, {"qemu": "10.0"}, bundle=bundle) == [
        "qemu: 7.1 on 1; 7.2 on n0"
    ]


def test_hundreds_of_versions_are_said_in_one_line() -> None:
    (line,) = said(*({"kernel": f"6.1.{n}"} for n in range(500)))
    assert line.endswith("; 496 more version(s)")
    assert len(line) < 200


def test_what_is_known_of_a_node_already_goes_before_what_was_read_on_it() -> None:
    cloud = make_cloud([make_node("a", versions={"nova-compute": "34.0.0"}), make_node("b")])
    read = {"a": {"nova-compute": "3:34.0.0-0lab1", "qemu": "7.2"}}
    a, b = add_software(cloud, read).nodes
    assert a.versions == {"nova-compute": "34.0.0", "qemu": "7.2"}
    assert b == cloud.nodes[1]
