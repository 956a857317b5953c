"""What is read on the nodes themselves, side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.steps.fake_records import START
from tests.steps.reboot_bundles import make_reboot_bundle
from tests.steps.worlds import BUNDLE, EMPTY_CLOUD, NEW, NODE, OLD, World

from escalator.model.boot import RebootSigns
from escalator.model.bundle import NoMechanism, RebootPolicy
from escalator.model.campaign import NodeState
from escalator.model.errors import LoginRefusedError, NodeFaultError, TransientError
from escalator.model.verdict import Code, Severity, Subject, Verdict
from escalator.model.way_back import WayBack
from escalator.steps.campaign.check_reboots import check_reboots
from escalator.steps.campaign.check_ways_back import REMEDY, check_ways_back
from escalator.steps.running.context import CampaignContext
from escalator.steps.running.node_versions import REFUSED_PAUSES_SECONDS, read_version, read_versions
from escalator.system_support.mechanisms import InstalledVersion

NODES = (NODE, "node-02", "node-03")


def test_what_runs_is_the_version_and_of_a_service_that_does_not_run_what_is_installed(world: World) -> None:
    node = world.nodes[NODE]
    node.installed = NEW
    assert read_version(world.context(), NODE).version == OLD
    node.running = None
    assert read_version(world.context(), NODE).version == NEW


def test_a_node_that_does_not_say_its_version_is_at_fault(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = InstalledVersion(
        package="nova",
        place="/opt/nova/venv",
        target=None,
        version=None,
        running=None,
        previous=None,
        main_pid=None,
        active=False,
    )
    context = world.context()
    monkeypatch.setattr(type(context.mechanism), "installed", lambda *_: silent)
    with pytest.raises(NodeFaultError, match=f"{NODE} does not say which nova it has") as caught:
        read_version(context, NODE)
    assert caught.value.remedy == "look at /opt/nova/venv on the node"


def test_many_nodes_are_read_over_one_connection_each(world: World) -> None:
    world.nodes["node-02"].lacks = ("no flock", "no awk")
    world.nodes["node-03"].unreachable = [TransientError("no route")]
    versions, faults, lacking, *_ = read_versions(world.context(), NODES)
    assert versions == {NODE: OLD, "node-02": OLD}
    assert faults[NODE] is faults["node-02"] is None
    assert [verdict.message for verdict in lacking.pop("node-02")] == ["no flock", "no awk"]
    assert lacking == {}
    assert "no route" in str(faults["node-03"])
    assert sorted(world.connections) == sorted(NODES)


def test_every_node_says_whether_its_source_has_the_version(world: World) -> None:
    for host in NODES:
        world.nodes[host].no_source = "the index has no such version"
    world.nodes["node-02"].running = NEW  # it needs none
    world.nodes["node-03"].lacks = ("no flock",)  # it could not stage it anyway
    lacking = read_versions(world.context(), NODES).lacking
    assert [(v.code, v.message) for v in lacking[NODE]] == [
        (Code.STAGE_FAILED, f"{NEW}: the index has no such version")
    ]
    assert [v.code for v in lacking["node-03"]] == [Code.NODE_TOOL_MISSING]
    assert "node-02" not in lacking


def test_what_is_in_nobodys_way_is_told_beside_what_a_node_lacks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Verdict(code=Code.WOULD_CHANGE, message="x", subject=Subject.of_node(NODE), severity=Severity.INFO)
    context = world.context()
    monkeypatch.setattr(type(context.mechanism), "check_source", lambda *_: (told,))
    read = read_versions(context, (NODE,))
    assert (read.lacking, read.told) == ({}, {NODE: (told,)})


def test_nodes_are_asked_for_their_way_back_where_the_bundle_supports_one(world: World) -> None:
    assert read_versions(world.context(), NODES).ways_back == {}
    world.bundle = replace(world.bundle, rollback_supported=True)
    world.nodes["node-02"].installed = world.nodes["node-02"].running = NEW
    world.nodes["node-03"].lacks = ("no flock",)
    read = read_versions(world.context(), NODES)
    assert read.ways_back == {
        NODE: WayBack.to_previous({"nova-compute": OLD}),
        "node-02": WayBack.one_way("x"),
    }
    assert [str(c) for c in check_ways_back(world.bundle, NODES, read.ways_back)] == [
        f"bundle {world.bundle.name}: {NODE}: back to nova-compute {OLD} [way_back]",
        f"bundle {world.bundle.name}: node-02: one-way: x -> {REMEDY} [no_way_back]",
    ]


def test_a_node_that_cannot_say_to_what_it_would_go_back_is_one_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.bundle = replace(world.bundle, rollback_supported=True)
    context = world.context()

    def fail(*_: object) -> None:
        raise NodeFaultError("no answer")

    monkeypatch.setattr(type(context.mechanism), "way_back", fail)
    read = read_versions(context, (NODE,))
    assert (read.ways_back, read.faults) == ({NODE: WayBack.one_way("no answer")}, {NODE: None})


def test_a_bundle_that_brings_nothing_leaves_the_versions_unknown_and_the_nodes_unasked(world: World) -> None:
    world.bundle = replace(BUNDLE, mechanism=NoMechanism())
    assert read_version(world.context(), NODE).version == ""
    assert read_versions(world.context(), NODES) == (
        *(dict.fromkeys(NODES, ""), dict.fromkeys(NODES)),
        *({}, {}, {}, {}, {}, {}, {}),
    )
    assert world.connections == []


def test_a_bundle_that_brings_nothing_comes_to_an_end(world: World) -> None:
    """Every window begins a run of its own: what the one before it did is not done again."""
    name = f"rehearsal-{world.plan.run_id}"
    world.bundle = replace(BUNDLE, name=name, mechanism=NoMechanism())
    world.plan = world.make_plan("first", bundle=name)
    component = {"name": "nova-compute", "to": NEW}
    document = {"schema": "escalator.bundle/1", "name": name, "components": [component]}
    run = world.ledger.run(world.plan.campaign, world.plan.run_id)
    run.open(
        world.plan,
        dag_id=world.plan.campaign,
        bundle_document=document | {"mechanism": {"type": "none"}},
        snapshot_before=EMPTY_CLOUD,
        now=START,
    )
    run.set_progress(NODE, NodeState.RELEASED, now=START)
    run.set_progress("node-02", NodeState.HELD, now=START)
    window = world.context(world.make_plan("next", bundle=name))
    assert read_versions(window, NODES).versions == {NODE: NEW, "node-02": "", "node-03": ""}
    world.bundle = replace(world.bundle, expected_upgrade_seconds=1.0)  # no more the bundle that it was
    changed = world.context(world.make_plan("next", bundle=name))
    assert read_versions(changed, NODES).versions == dict.fromkeys(NODES, "")


def reboots(world: World, name: str, policy: RebootPolicy) -> tuple[World, dict[str, object]]:
    """Give a world a bundle that only reboots, and return its document."""
    world.bundle, document = make_reboot_bundle(name, policy)
    world.plan = world.make_plan(f"check of {name}", bundle=name)
    return world, document


def open_run(world: World, document: dict[str, object], run_id: str, **asked: object) -> CampaignContext:
    plan = world.make_plan(f"{run_id} of {world.bundle.name}", bundle=world.bundle.name, **asked)
    world.ledger.run(plan.campaign, plan.run_id).open(
        plan,
        dag_id=plan.campaign,
        bundle_document=document,
        snapshot_before=EMPTY_CLOUD,
        now=world.clock.now,
    )
    return world.context(plan)


def test_a_node_that_was_rebooted_since_the_first_run_of_the_bundle_is_done(world: World) -> None:
    _, document = reboots(world, "reboot-rounds", RebootPolicy.ALWAYS)
    boots = {host: world.nodes[host].boots for host in NODES}
    boots["node-03"].reboot()
    world.clock.sleep(120)
    open_run(world, document, "rehearsal", dry_run=True)
    boots["node-02"].reboot()  # after a dry run: that is no start
    world.clock.sleep(120)
    first = open_run(world, document, "first")
    assert read_versions(first, NODES).versions == dict.fromkeys(NODES, "")
    boots[NODE].reboot()
    world.clock.sleep(86400)
    window = open_run(world, document, "second")
    assert read_versions(window, NODES).versions == {NODE: NEW, "node-02": "", "node-03": ""}
    assert {host: boot.boot_id for host, boot in read_versions(window, NODES).boots.items()} == {
        NODE: "boot-2",
        "node-02": "boot-2",
        "node-03": "boot-2",
    }
    world.bundle = replace(world.bundle, hooks={"pre": ("flash",)})
    assert read_versions(world.context(), NODES).versions == dict.fromkeys(NODES, "")


def test_of_a_bundle_that_reboots_what_asks_for_it_the_others_are_done(world: World) -> None:
    reboots(world, "reboot-if-required", RebootPolicy.IF_REQUIRED)
    world.nodes[NODE].boots.signs = RebootSigns(needs_restarting=1)
    read = read_versions(world.context(), NODES)
    assert read.versions == {NODE: "", "node-02": NEW, "node-03": NEW}
    (condition,) = check_reboots(world.bundle, NODES, read.boots)
    assert condition.message == (
        f"of 3 nodes 1 would be rebooted as they are now: {NODE} (needs-restarting -r says so)"
    )


def test_a_node_that_does_not_know_whether_to_ask_is_rebooted_once_not_in_every_window(world: World) -> None:
    _, document = reboots(world, "reboot-unsure", RebootPolicy.IF_REQUIRED)
    boots = world.nodes[NODE].boots
    boots.signs = RebootSigns(needs_restarting=2)
    first = open_run(world, document, "unsure-1")
    assert read_versions(first, NODES).versions == {NODE: "", "node-02": NEW, "node-03": NEW}
    world.clock.sleep(60)
    boots.reboot()
    world.clock.sleep(600)
    window = open_run(world, document, "unsure-2")
    assert read_versions(window, NODES).versions == dict.fromkeys(NODES, NEW)
    boots.signs = RebootSigns(needs_restarting=1)  # one that asks is another matter
    assert read_versions(window, NODES).versions[NODE] == ""


def test_nodes_that_refuse_the_login_are_asked_again_for_minutes(world: World) -> None:
    refusal = LoginRefusedError("SSH refuses user ops")
    world.nodes["node-02"].unreachable = [refusal] * 2
    world.nodes["node-03"].unreachable = [refusal] * 99
    began = world.clock.now
    versions, faults, *_ = read_versions(world.context(), NODES)
    assert versions == {NODE: OLD, "node-02": OLD}
    assert "SSH refuses user ops" in str(faults["node-03"])
    assert (world.clock.now - began).total_seconds() == sum(REFUSED_PAUSES_SECONDS)
    assert [world.connections.count(host) for host in NODES] == [1, 3, 1 + len(REFUSED_PAUSES_SECONDS)]


def test_sudo_that_refuses_is_a_lack_of_privilege_and_no_lack_of_reach(world: World) -> None:
    refusal = NodeFaultError("sudo: a password is required", remedy="allow sudo", code=Code.NODE_NO_PRIVILEGE)
    world.nodes["node-02"].unreachable = [refusal]
    read = read_versions(world.context(), NODES)
    assert "node-02" not in read.versions
    assert read.faults["node-02"] is None
    (verdict,) = read.lacking["node-02"]
    assert (verdict.code, verdict.message) == (Code.NODE_NO_PRIVILEGE, "sudo: a password is required")
    assert verdict.blocks
    assert verdict.remedy


def test_what_the_mechanism_reads_of_other_components_goes_before_what_the_node_tells(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = world.context()
    world.nodes[
        NODE
    ].versions = "program.qemu=QEMU emulator version 7.2.15\nprogram.ovn=ovn-controller 24.03.1\n"
    asked = type(context.mechanism).installed

    def installed(mechanism: Any, shell: Any) -> InstalledVersion:
        components = {"nova-compute": OLD, "qemu": "1:7.2+dfsg-7", "libvirt": None}
        return replace(asked(mechanism, shell), components=components)

    monkeypatch.setattr(type(context.mechanism), "installed", installed)
    assert read_versions(context, (NODE,)).software == {NODE: {"qemu": "1:7.2+dfsg-7", "ovn": "24.03.1"}}
