from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.builders import BUNDLE as NOTHING
from tests.builders import make_cloud, make_node

from escalator.model.bundle import Component, RebootPolicy, VenvMechanism
from escalator.upgrade_manager.state.targets import is_upgraded_to, mark_pending, mark_targets


def test_named_hosts_come_before_marked_ones_and_these_before_all() -> None:
    def targets(*hosts: str, marked: bool) -> list[str]:
        nodes = [make_node("a", target=marked), make_node("b"), make_node("c", upgraded=True)]
        return [n.host for n in mark_targets(make_cloud(nodes), hosts=hosts).nodes if n.target]

    assert targets("b", "c", marked=True) == ["b", "c"]
    assert targets(marked=True) == ["a"]
    assert targets(marked=False) == ["a", "b"]


BUNDLE = replace(NOTHING, mechanism=VenvMechanism(venv="/opt/nova", package="nova", service="nova-compute"))


@pytest.mark.parametrize(
    ("more", "done"),
    [
        ({}, True),
        ({"reboot": RebootPolicy.ALWAYS}, False),
        ({"reboot": RebootPolicy.IF_REQUIRED}, False),
        ({"hooks": {"pre": ("flash-nic",)}}, False),
    ],
)
def test_of_a_bundle_that_brings_nothing_but_does_more_no_version_tells_that_it_was_carried_out(
    more: dict[str, Any], *, done: bool
) -> None:
    nodes = [make_node("a", versions={"nova-compute": "34.0.0"}), make_node("b", upgraded=True)]
    marked = mark_targets(make_cloud(nodes), replace(NOTHING, **more))
    assert [(node.host, node.upgraded, node.target) for node in marked.nodes] == [
        ("a", done, not done),
        ("b", True, False),
    ]


def test_a_node_that_runs_what_the_bundle_brings_is_upgraded() -> None:
    reports = {"new": "34.0.0", "old": "33.0.0", "junk": "no version", "silent": None}
    nodes = [
        make_node(host, versions={} if version is None else {"nova-compute": version})
        for host, version in reports.items()
    ]
    marked = mark_targets(make_cloud(nodes), BUNDLE)
    assert [n.host for n in marked.nodes if n.upgraded] == ["new"]
    assert [n.host for n in marked.nodes if n.target] == ["old", "junk", "silent"]
    assert not any(n.upgraded for n in mark_targets(make_cloud(nodes)).nodes)


def brought(*components: Component, **reported: str) -> bool:
    """Tell whether a node that reports these versions runs a bundle of these components."""
    versions = {name.replace("_", "-"): version for name, version in reported.items()}
    return is_upgraded_to(make_node("a", versions=versions), replace(BUNDLE, components=components))


@pytest.mark.parametrize(
    ("reported", "wanted", "scheme", "same"),
    [
        ("3:29.2.0-0ubuntu1.4~cloud0", "3:29.2.0-0ubuntu1.4~cloud0", "deb", True),
        ("3:29.2.0-0ubuntu1~cloud0", "3:29.2.0-0ubuntu1.4~cloud0", "deb", False),
        ("3:29.2.0-0ubuntu1.10~cloud0", "3:29.2.0-0ubuntu1.4~cloud0", "deb", False),
        ("29.2.0", "3:29.2.0-0ubuntu1.4~cloud0", "deb", True),
        ("29.1.0", "3:29.2.0-0ubuntu1.4~cloud0", "deb", False),
        ("1:29.2.0-1.el9", "1:29.2.0-2.el9", "rpm", False),
        ("1:29.2.0-2.el9", "1:29.2.0-2.el9", "rpm", True),
        ("29.2", "29.2.0", "pbr", True),
    ],
)
def test_another_revision_of_the_same_release_is_something_to_bring(
    reported: str, wanted: str, scheme: str, *, same: bool
) -> None:
    assert brought(Component(name="nova-compute", to=wanted, scheme=scheme), nova_compute=reported) is same


@pytest.mark.parametrize(("qemu", "done"), [("8.2.0", False), ("9.0.0", True), ("9.1.0", True), ("?", False)])
def test_a_node_is_pending_as_long_as_any_component_is_older(qemu: str, *, done: bool) -> None:
    components = (*BUNDLE.components, Component(name="qemu", to="9.0.0"))
    assert brought(*components, nova_compute="34.0.0", hypervisor=qemu) is done


def test_a_component_that_no_node_reports_keeps_none_pending() -> None:
    components = (*BUNDLE.components, Component(name="qemu", to="9.0.0"))
    assert brought(*components, nova_compute="34.0.0")
    assert not brought(*components[1:], hypervisor="9.0.0")


def test_who_knows_more_of_a_host_keeps_it_pending() -> None:
    cloud = make_cloud([make_node("a", upgraded=True), make_node("b", upgraded=True), make_node("c")])
    assert [node.upgraded for node in mark_pending(cloud, {"b"}).nodes] == [True, False, False]
    assert mark_pending(cloud, ()) is cloud


def test_a_host_of_ironics_is_no_target() -> None:
    nodes = [make_node("a"), make_node("metal", hypervisor_type="ironic")]
    assert [n.host for n in mark_targets(make_cloud(nodes), BUNDLE).nodes if n.target] == ["a"]
