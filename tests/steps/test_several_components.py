"""A node is at its target when all components of the bundle are, not when its nova-compute is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_mechanism import FakeMechanism, NodeSoftware
from tests.steps.fake_records import Fuse
from tests.steps.test_rollback import make_back
from tests.steps.worlds import BUNDLE, NEW, NODE, OLD, World

from escalator.ledger.records import Document
from escalator.model.bundle import Component
from escalator.model.campaign import NodeState, Step
from escalator.model.decisions import Admission
from escalator.model.errors import InvalidRequestError
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.campaign.prepare import prepare
from escalator.steps.campaign.undoing import find_undoing
from escalator.steps.running.node_versions import read_version, read_versions
from escalator.system_support.mechanisms import GoingBack, InstalledVersion

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


def test_all_components_go_back_to_what_the_ledger_has_of_before(world: World) -> None:
    world.run_up_to(Step.RELEASE)
    node, upgrade = world.nodes[NODE], world.plan
    assert (node.running, node.components["qemu"]) == (NEW, QEMU.to)
    assert world.facts().from_components == {"qemu": "1:7.2-1"}
    back = (Component(name="nova-compute", to=OLD), replace(QEMU, to="1:7.2-1"))
    world.bundle = replace(world.bundle, components=back)
    world.plan = make_back(upgrade)
    world.open(world.plan)
    assert not read_version(world.context(), NODE).is_at(OLD)
    world.run_up_to(Step.RELEASE)
    assert (world.enabled(), node.running, node.components["qemu"]) == (True, OLD, "1:7.2-1")
    assert read_version(world.context(), NODE).is_at(OLD)


def test_one_that_did_not_go_back_keeps_the_node_out(world: World) -> None:
    world.run_up_to(Step.RELEASE)
    node = world.nodes[NODE]
    node.components_before["qemu"] = QEMU.to  # it stays what it is
    back = (Component(name="nova-compute", to=OLD), replace(QEMU, to="1:7.2-1"))
    world.bundle = replace(world.bundle, components=back)
    world.plan = make_back(world.plan)
    world.open(world.plan)
    world.run_up_to(Step.UPGRADE)
    assert world.run(Step.VERIFY).outcome is Outcome.FAILED
    assert world.run(Step.RELEASE).outcome is Outcome.FAILED
    assert not world.enabled()


def remember(world: World, host: str, **before: str) -> None:
    world.recorded.remember(host, upgrade_begun=world.clock(), from_version=OLD, from_components=before)


def document() -> dict[str, object]:
    return {
        "schema": "escalator.bundle/1",
        "name": "hypervisor",
        "components": [
            {"name": "nova-compute", "to": NEW, "scheme": "deb"},
            {"name": "qemu", "to": QEMU.to, "scheme": "deb"},
        ],
        "mechanism": {
            "type": "apt",
            "packages": [
                {"name": "nova-compute", "component": "nova-compute", "service": "nova-compute"},
                {"name": "qemu-system-x86", "component": "qemu"},
            ],
        },
        "impact": "data",
        "rollback": {"supported": True},
    }


def test_nodes_that_had_another_version_of_one_component_go_back_apart(world: World) -> None:
    world.recorded.set_document(Document.BUNDLE, document())
    remember(world, "node-01", qemu="1:7.2-1")
    remember(world, "node-02", qemu="1:8.0-1")
    run = (world.plan.campaign, world.plan.run_id)
    said = r"node-01 had nova-compute 33\.0\.2, qemu 1:7\.2-1; node-02 had nova-compute"
    with pytest.raises(InvalidRequestError, match=said):
        find_undoing(world.ledger, *run)
    found = find_undoing(world.ledger, *run, hosts=("node-02",))
    assert [c["to"] for c in found.bundle_document["components"]] == [OLD, "1:8.0-1"]
    assert found.run.components == {"qemu": QEMU.to}


def test_a_component_of_which_nobody_knows_what_it_was_is_no_way_back(world: World) -> None:
    world.recorded.set_document(Document.BUNDLE, document())
    remember(world, "node-01")
    with pytest.raises(InvalidRequestError, match="not recorded, or there was none: qemu of node-01"):
        find_undoing(world.ledger, world.plan.campaign, world.plan.run_id)


def test_what_the_mechanism_does_not_tell_of_is_asked_of_the_node() -> None:
    node = NodeSoftware(host="n", fuse=Fuse(), running=OLD, installed=OLD)
    node.versions = "deb.qemu-system-x86=ii|1:7.2-1\n"
    back = GoingBack(forward=FakeMechanism(), undone=NEW, before={"qemu": "1:7.2-1", "mine": "1"})
    found = back.installed(cast("Any", node))
    assert found is not None
    assert found.components == {"qemu": "1:7.2-1"}
