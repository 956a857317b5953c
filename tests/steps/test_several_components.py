"""A node is at its target when all components of the bundle are, not when its nova-compute is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.worlds import BUNDLE, NEW, NODE, OLD, World

from escalator.model.bundle import Component
from escalator.model.campaign import NodeState, Step
from escalator.model.decisions import Admission
from escalator.model.verdict import Code
from escalator.steps.campaign.prepare import prepare
from escalator.steps.running.node_versions import read_version, read_versions
from escalator.system_support.mechanisms import InstalledVersion

QEMU = Component(name="qemu", to="1:10.0-1", scheme="deb")
BOTH = (Component(name="nova-compute", to=NEW), QEMU)


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    world = make_world()
    world.bundle = replace(BUNDLE, components=BOTH)
    for node in world.nodes.values():
        node.components = {"nova-compute": OLD, "qemu": "1:7.2-1"}
        node.brings = {"nova-compute": NEW, "qemu": QEMU.to}
    return world


def bring_nova_alone(world: World) -> None:
    node = world.nodes[NODE]
    node.installed = node.running = NEW
    node.components = {"nova-compute": NEW, "qemu": "1:7.2-1"}


def installed(**components: str | None) -> InstalledVersion:
    return InstalledVersion(
        package="p",
        place="p",
        target=None,
        version=OLD,
        running=OLD,
        previous=None,
        main_pid=None,
        active=False,
        components=components,
    )


def test_what_is_behind_is_said_with_its_version_and_nova_compute_is_not_among_it() -> None:
    assert installed(qemu="1:7.2-1", **{"nova-compute": OLD}).find_behind(BOTH) == ("qemu 1:7.2-1",)
    assert installed(qemu=None).find_behind(BOTH) == ("qemu missing",)
    assert installed(qemu=QEMU.to).find_behind(BOTH) == ()


def test_what_a_mechanism_does_not_tell_of_is_not_behind() -> None:
    assert installed().find_behind(BOTH) == ()


def test_a_node_with_the_right_nova_compute_and_another_qemu_goes_out(world: World) -> None:
    bring_nova_alone(world)
    assert read_version(world.context(), NODE).behind == ("qemu 1:7.2-1",)
    assert read_versions(world.context(), (NODE,)).behind == {NODE: ("qemu 1:7.2-1",)}
    assert world.admit().admission is Admission.ADMIT
    assert world.facts().behind == ("qemu 1:7.2-1",)
    node = world.context().fetch_snapshot().node(NODE)
    assert node is not None
    assert not node.upgraded


def test_it_is_staged_ahead_as_well(world: World) -> None:
    bring_nova_alone(world)
    world.admit()
    prepare(world.context())
    assert NEW in world.nodes[NODE].staged


def test_a_node_that_has_all_of_it_is_passed_over(world: World) -> None:
    bring_nova_alone(world)
    world.nodes[NODE].components["qemu"] = QEMU.to
    assert world.admit().code is Code.ALREADY_UPGRADED


def test_the_upgrade_ends_with_all_of_them(world: World) -> None:
    bring_nova_alone(world)
    world.run_up_to(Step.RELEASE)
    assert world.progress().state is NodeState.RELEASED
    assert world.facts().behind == ()
    node = world.context().fetch_snapshot().node(NODE)
    assert node is not None
    assert node.upgraded


def test_verify_says_which_component_did_not_come(world: World) -> None:
    world.nodes[NODE].brings = {"nova-compute": NEW}
    world.run_up_to(Step.UPGRADE)
    result = world.run(Step.VERIFY)
    assert result.code is Code.VERSION_MISMATCH
    assert "has qemu 1:7.2-1, which is not what the bundle brings" in result.message
