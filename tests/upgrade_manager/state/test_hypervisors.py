from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import make_node

from escalator.model.bundle import Bundle, Component, NoMechanism
from escalator.model.cloud import Node
from escalator.upgrade_manager.state.hypervisors import (
    HypervisorAges,
    find_brought_version,
    hypervisor_of,
    read_version,
)
from escalator.upgrade_manager.versions.release_version import ReleaseVersion

OLD, NEW = "8.2.0", "9.2.0"


def aged(host: str, version: str) -> Node:
    return make_node(host, versions={"hypervisor": version})


@pytest.mark.parametrize("name", ["hypervisor", "qemu", "qemu-kvm"])
def test_a_bundle_brings_a_hypervisor_by_any_of_its_names(name: str) -> None:
    bundle = Bundle(name="b", components=(Component(name=name, to=NEW),), mechanism=NoMechanism())
    assert find_brought_version(bundle) == ReleaseVersion.parse(NEW)
    assert find_brought_version(replace(bundle, components=())) is None
    assert find_brought_version(None) is None


def test_ages_follow_what_is_noted() -> None:
    a, b = aged("a", NEW), aged("b", OLD)
    ages = HypervisorAges([a, b])
    assert (ages.older("a"), ages.older("b"), ages.older("x")) == ({"b"}, set(), set())
    assert ages.is_mixed("cell1/az1/general")
    newest = read_version("10.0.0")
    assert newest is not None
    ages.note(b, newest)
    assert (ages.older("a"), ages.older("b")) == (set(), {"a"})
    assert hypervisor_of(aged("c", "junk")) is None
