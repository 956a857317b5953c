"""A campaign that takes a run back: nodes that failed, nodes that are upgraded, nodes that a person has."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.worlds import NEW, NODE, OLD, World

from escalator.documents.bundles import parse_bundle
from escalator.ledger.records import Document
from escalator.model.campaign import CampaignPlan, NodeState, RunOf, Step, UpgradeMode
from escalator.model.cloud import ResourceInventory
from escalator.model.decisions import Admission
from escalator.model.errors import NodeFaultError
from escalator.model.lease import LeasePhase
from escalator.model.step import Outcome
from escalator.model.stops import StopEnd
from escalator.model.verdict import Code
from escalator.steps.campaign.check_conditions import check
from escalator.steps.campaign.undoing import find_undoing
from escalator.system_support.mechanisms import Effect


def make_back(upgrade: CampaignPlan) -> CampaignPlan:
    """Make the plan of the campaign that takes a run back."""
    return replace(
        upgrade,
        campaign=f"rollback__{upgrade.campaign}",
        run_id=f"back-of-{upgrade.run_id}",
        request=replace(upgrade.request, bundle="nova-34-back"),
        target_version=OLD,
        procedure="rollback",
        undoes=RunOf(campaign=upgrade.campaign, run_id=upgrade.run_id, version=NEW),
    )


def turn_back(world: World) -> None:
    """Open the campaign that takes the world's run back; the world goes on with it."""
    world.plan = make_back(world.plan)
    world.open(world.plan)


def fail(world: World, host: str = NODE) -> None:
    world.nodes[host].activate_faults.append(NodeFaultError("it does not start"))
    world.run_up_to(Step.UPGRADE, host)
    world.run(Step.RELEASE, host)
    assert world.progress(host).state is NodeState.FAILED


def test_a_node_that_failed_is_taken_over_and_brought_back(world: World) -> None:
    fail(world)
    turn_back(world)
    assert world.admit().admission is Admission.ADMIT
    lease = world.service().lease
    assert lease is not None
    assert (lease.mark, lease.phase, lease.campaign) == (None, LeasePhase.UPGRADING, world.plan.campaign)
    for step in list(Step)[1:]:
        assert world.run(step).outcome is Outcome.OK, step
    assert world.enabled()
    assert (world.nodes[NODE].running, world.progress().state) == (OLD, NodeState.RELEASED)


def test_a_node_that_failed_with_its_old_software_is_proved_and_given_back(world: World) -> None:
    fail(world)
    node = world.nodes[NODE]
    node.running = node.installed = OLD
    turn_back(world)
    world.run_up_to(Step.RELEASE)
    assert world.enabled()
    assert (node.switched, world.progress().state) == (1, NodeState.RELEASED)


def test_a_way_back_that_fails_leaves_the_node_out(world: World) -> None:
    fail(world)
    turn_back(world)
    world.nodes[NODE].activate_faults.append(NodeFaultError("the old one does not start either"))
    world.run_up_to(Step.UPGRADE)
    assert world.run(Step.RELEASE).outcome is Outcome.FAILED
    lease = world.service().lease
    assert lease is not None
    assert (str(lease.mark), lease.campaign) == ("FAILED", world.plan.campaign)


def test_an_upgraded_node_goes_back(world: World) -> None:
    world.run_up_to(Step.RELEASE)
    assert (world.enabled(), world.nodes[NODE].running) == (True, NEW)
    turn_back(world)
    world.run_up_to(Step.RELEASE)
    assert (world.enabled(), world.nodes[NODE].running) == (True, OLD)


@pytest.mark.parametrize("who", ["person", "other run", "in flight"])
def test_what_the_run_did_not_leave_is_not_taken_over(world: World, who: str) -> None:
    fail(world)
    service = world.service()
    assert service.lease is not None
    reasons = {
        "person": "broken fan",
        "other run": replace(service.lease, run="0123456789ab", token="00000000-0123").render(),
        "in flight": service.lease.marked(None).render(),
    }
    world.cloud.person_disables(NODE, reasons[who])
    turn_back(world)
    decision = world.admit()
    assert decision.admission is not Admission.ADMIT
    assert world.service().disabled_reason == reasons[who]


def test_killed_while_it_takes_over_the_next_attempt_goes_on(make_world: MakeWorld) -> None:
    for at in range(40):
        world = make_world()
        fail(world)
        turn_back(world)
        world.fuse.left = at
        try:
            decision = world.admit()
        except BaseException:  # noqa: BLE001 - the process is killed
            world.fuse.left = None
            decision = world.admit()
        else:
            world.fuse.left = None
            assert decision.admission is Admission.ADMIT
            return
        assert decision.admission is Admission.ADMIT, at
        assert world.holds_lease()
    raise AssertionError("the fuse never held")


def test_the_run_that_is_undone_leaves_a_node_alone_that_was_taken_over(world: World) -> None:
    fail(world)
    upgrade = world.plan
    turn_back(world)
    world.admit()
    text = world.service().disabled_reason
    world.plan = upgrade
    assert world.run(Step.RELEASE).outcome is not Outcome.OK
    assert world.service().disabled_reason == text


def test_what_is_undone_is_read_from_the_ledger(world: World) -> None:
    world.run_up_to(Step.RELEASE)
    fail(world, "node-02")
    found = find_undoing(world.ledger, world.plan.campaign, world.plan.run_id)
    assert found.hosts == ("node-02", NODE)
    assert found.run == RunOf(campaign=world.plan.campaign, run_id=world.plan.run_id, version=NEW)


def test_the_check_of_a_way_back_keeps_its_order_and_does_not_refuse_older_versions(world: World) -> None:
    world.run_up_to(Step.RELEASE)
    world.run_up_to(Step.RELEASE, "node-03")
    fail(world, "node-02")
    upgrade = world.plan
    found = find_undoing(world.ledger, upgrade.campaign, upgrade.run_id)
    assert found.hosts == ("node-02", "node-03", NODE)
    world.bundle = parse_bundle(found.bundle_document)
    back = make_back(upgrade)
    assert back.undoes == found.run
    world.plan = replace(back, hosts=(), request=replace(back.request, hosts=found.hosts))
    plan, report = check(world.context(), found.bundle_document, known_hosts=found.hosts)
    assert report.met, [str(c.verdict) for c in report.unmet]
    assert plan.hosts == found.hosts
    assert plan.undoes == found.run
    assert world.recorded.plan() == plan
    made = world.recorded.document(Document.PLAN)
    assert [node["host"] for node in made["nodes"]] == list(found.hosts)
    assert made["held"] == []
    world.plan = plan
    for host in plan.hosts:
        world.run_up_to(Step.RELEASE, host)
        assert (world.enabled(host), world.nodes[host].running) == (True, OLD)


@pytest.mark.parametrize("mode", UpgradeMode)
def test_servers_that_the_run_stopped_and_left_off_run_again_and_no_others(
    make_world: MakeWorld, mode: UpgradeMode
) -> None:
    world = make_world(mode=UpgradeMode.NON_SMOOTH)
    world.pinned = frozenset({"one", "off"})
    world.boot("one")
    world.boot("off", vm_state="stopped")
    world.nodes[NODE].activate_faults.append(NodeFaultError("it does not start"))
    world.run_up_to(Step.UPGRADE)
    world.cloud.hosts[NODE].died_at = world.clock.now
    world.run(Step.RELEASE)
    world.cloud.hosts[NODE].died_at = None
    assert world.cloud.guests["one"].vm_state == "stopped"
    turn_back(world)
    world.plan = replace(world.plan, request=replace(world.plan.request, mode=mode))
    if mode is UpgradeMode.SMOOTH:
        world.pinned = frozenset()
    for _ in range(2):
        assert world.admit().admission is Admission.ADMIT
    for step in list(Step)[1:]:
        assert world.run(step).outcome is Outcome.OK, step
    assert world.enabled()
    (stop,) = [one for one in world.facts().stops if one.server_id == "one"]
    assert stop.end is StopEnd.RUNS
    guests = world.cloud.guests
    assert (guests["one"].vm_state, guests["one"].host) == ("active", NODE)
    assert guests["off"].vm_state == "stopped"


@pytest.mark.parametrize("lost", [False, True])
def test_a_node_that_is_taken_back_has_to_have_what_it_had_before_the_upgrade(
    world: World, *, lost: bool
) -> None:
    """What the newer release reports goes with it; what the node had before has to be there again."""
    inventory, node = world.cloud.hosts[NODE].inventory, world.nodes[NODE]
    inventory["VGPU"] = ResourceInventory(total=4)
    activate, roll_back = node.activate, node.roll_back

    def bring(version: str) -> Effect:
        inventory["MEM_ENCRYPTION_CONTEXT"] = ResourceInventory(total=15)
        return activate(version)

    def take_back(version: str) -> Effect:
        del inventory["MEM_ENCRYPTION_CONTEXT"]
        if lost:
            del inventory["VGPU"]
        return roll_back(version)

    node.activate, node.roll_back = bring, take_back  # type: ignore[method-assign]
    world.run_up_to(Step.RELEASE)
    assert world.enabled()
    turn_back(world)
    world.run_up_to(Step.RELEASE)
    assert world.enabled() is not lost
    if lost:
        assert world.progress().code is Code.INVENTORY_MISSING
        assert "no VGPU (4 before its upgrade)" in world.progress().message
