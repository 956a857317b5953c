from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.steps.worlds import BUNDLE, NEW, NODE, World

from escalator.model.bundle import NoMechanism
from escalator.model.campaign import NodeState, Step
from escalator.model.canary import CanaryWish
from escalator.model.cloud import NetworkAgent, ResourceInventory, ServiceState
from escalator.model.errors import TransientError
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.verify import SERVICE_WITHIN


def agent(*, alive: bool) -> NetworkAgent:
    return NetworkAgent(
        id="a", binary="neutron-openvswitch-agent", host=NODE, alive=alive, admin_state_up=True
    )


@pytest.fixture
def upgraded(world: World) -> World:
    world.cloud.hosts[NODE].agents = (agent(alive=True),)
    world.run_up_to(Step.UPGRADE)
    return world


def test_a_good_node_is_proved(upgraded: World) -> None:
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK
    assert upgraded.progress().state is NodeState.VERIFIED
    proof = upgraded.facts().verified
    assert proof is not None
    assert proof.version == NEW
    assert upgraded.facts().version == NEW
    assert upgraded.verbs().count("canary") == 1


def test_the_heartbeat_must_be_newer_than_the_restart(upgraded: World) -> None:
    beats: list[object] = []

    def look(method: str) -> None:
        if method == "fetch_service":
            beats.append(upgraded.service().updated_at)

    upgraded.cloud.before = look
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK
    assert len(set(map(str, beats))) > 1  # the first was of the second of the restart


def test_a_hypervisor_that_is_down_for_a_moment_is_waited_for(upgraded: World) -> None:
    host = upgraded.cloud.hosts[NODE]
    looks: list[str] = []

    def look(method: str) -> None:
        if method == "fetch_hypervisor":
            looks.append(method)
            host.hypervisor = ServiceState.DOWN if len(looks) < 3 else ServiceState.UP

    upgraded.cloud.before = look
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK
    assert len(looks) == 3


def test_while_the_heartbeat_is_waited_for_few_logins_are_made(
    upgraded: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, logins, looks = upgraded.connect, [], []
    monkeypatch.setattr(upgraded, "connect", lambda host: logins.append(host) or connect(host))
    upgraded.cloud.before = looks.append
    break_service(upgraded)
    assert upgraded.run(Step.VERIFY).code is Code.SERVICE_NOT_UP
    assert looks.count("fetch_service") > SERVICE_WITHIN.total_seconds() / 2
    assert 1 <= len(logins) <= looks.count("fetch_service") / 4


def test_a_service_that_dies_while_agents_are_waited_for_is_not_passed(upgraded: World) -> None:
    host = upgraded.cloud.hosts[NODE]
    looks: list[str] = []

    def look(method: str) -> None:
        looks.append(method)
        if looks.count("fetch_agents") == 10:
            host.died_at = upgraded.clock.now
        host.agents = (agent(alive=looks.count("fetch_agents") >= 20),)

    upgraded.cloud.before = look
    assert upgraded.run(Step.VERIFY).code is Code.SERVICE_NOT_UP


def test_a_wrong_version_is_told_at_once(upgraded: World) -> None:
    break_version(upgraded)
    break_hypervisor(upgraded)
    began = upgraded.clock.now
    assert upgraded.run(Step.VERIFY).code is Code.VERSION_MISMATCH
    assert upgraded.clock.now - began < SERVICE_WITHIN / 10


def break_service(world: World) -> None:
    world.cloud.hosts[NODE].died_at = world.clock.now


def break_version(world: World) -> None:
    world.nodes[NODE].running = "33.0.2"


def break_hypervisor(world: World) -> None:
    world.cloud.hosts[NODE].hypervisor = ServiceState.DOWN


def break_inventory(world: World) -> None:
    world.cloud.hosts[NODE].inventory = {}


def empty_inventory(world: World) -> None:
    world.cloud.hosts[NODE].inventory["MEMORY_MB"] = ResourceInventory(total=0)


def break_agent(world: World) -> None:
    world.cloud.hosts[NODE].agents = (agent(alive=False),)


def break_canary(world: World) -> None:
    world.cloud.hosts[NODE].canary_fault = "no bootable device"


FAULTS = {
    break_service: Code.SERVICE_NOT_UP,
    break_version: Code.VERSION_MISMATCH,
    break_hypervisor: Code.HYPERVISOR_DOWN,
    break_inventory: Code.INVENTORY_MISSING,
    empty_inventory: Code.INVENTORY_MISSING,
    break_agent: Code.AGENT_DOWN,
    break_canary: Code.CANARY_FAILED,
}


@pytest.mark.parametrize(("fault", "code"), FAULTS.items())
def test_what_is_not_good_fails_the_node_for_good(upgraded: World, fault: object, code: Code) -> None:
    fault(upgraded)  # type: ignore[operator]
    result = upgraded.run(Step.VERIFY)
    assert (result.outcome, result.code) == (Outcome.FAILED, code)
    assert upgraded.facts().verified is None
    upgraded.run(Step.RELEASE)
    assert f":FAILED [{code}]" in str(upgraded.service().disabled_reason)


def test_all_faults_are_told_at_once_and_no_canary_is_booted(upgraded: World) -> None:
    for fault in (break_version, break_hypervisor, break_agent):
        fault(upgraded)
    message = upgraded.run(Step.VERIFY).message
    for code in (Code.VERSION_MISMATCH, Code.HYPERVISOR_DOWN, Code.AGENT_DOWN):
        assert code in message
    assert "canary" not in upgraded.verbs()


def test_an_agent_that_was_dead_before_is_not_held_against_the_node(world: World) -> None:
    world.cloud.hosts[NODE].agents = (agent(alive=False),)
    world.run_up_to(Step.UPGRADE)
    assert world.run(Step.VERIFY).outcome is Outcome.OK


def test_an_agent_whose_record_is_gone_is_missed(upgraded: World) -> None:
    upgraded.cloud.hosts[NODE].agents = ()
    assert upgraded.run(Step.VERIFY).code is Code.AGENT_DOWN


def test_where_no_agent_was_alive_before_none_is_asked_for(world: World) -> None:
    world.run_up_to(Step.UPGRADE)
    looks: list[str] = []
    world.cloud.before = looks.append
    assert world.run(Step.VERIFY).outcome is Outcome.OK
    assert "fetch_agents" not in looks


def test_a_record_that_is_left_over_beside_a_living_agent_fails_no_node(upgraded: World) -> None:
    left = replace(agent(alive=False), id="left-over")
    upgraded.cloud.hosts[NODE].agents = (agent(alive=True), left)
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK


def test_a_process_that_has_ended_is_not_waited_for(upgraded: World) -> None:
    break_service(upgraded)
    upgraded.nodes[NODE].unit = "failed"
    began = upgraded.clock.now
    assert upgraded.run(Step.VERIFY).code is Code.SERVICE_NOT_UP
    assert upgraded.clock.now == began


@pytest.mark.parametrize("unit", ["inactive", "failed"])
def test_what_systemd_prints_is_the_reason(upgraded: World, unit: str) -> None:
    break_service(upgraded)
    upgraded.nodes[NODE].unit = unit
    result = upgraded.run(Step.VERIFY)
    assert result.code is Code.SERVICE_NOT_UP
    assert f"nova-compute does not run: systemd on the node says {unit}" in result.message


@pytest.mark.parametrize("unit", ["active", "activating", "reloading", "", "sudo: unknown user"])
def test_a_service_that_systemd_does_not_see_ended_is_waited_for(upgraded: World, unit: str) -> None:
    host = upgraded.cloud.hosts[NODE]
    beats_at = upgraded.clock.now + SERVICE_WITHIN / 2
    host.died_at = upgraded.clock.now

    def look(_method: str) -> None:
        if upgraded.clock.now > beats_at:
            host.died_at = None

    upgraded.cloud.before = look
    upgraded.nodes[NODE].unit = unit
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK


def test_a_service_that_nova_still_calls_up_is_never_said_to_be_up(
    upgraded: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right after a restart that failed, Nova goes by the last heartbeat for a minute."""
    break_service(upgraded)
    fetch = upgraded.cloud.fetch_service
    monkeypatch.setattr(
        upgraded.cloud, "fetch_service", lambda host: replace(fetch(host), state=ServiceState.UP)
    )
    for unit in ("failed", "active"):
        upgraded.nodes[NODE].unit = unit
        result = upgraded.run(Step.VERIFY)
        assert result.code is Code.SERVICE_NOT_UP
        assert "is up" not in result.message


def test_a_service_without_a_heartbeat_is_waited_for_a_while(upgraded: World) -> None:
    break_service(upgraded)
    began = upgraded.clock.now
    upgraded.run(Step.VERIFY)
    assert upgraded.clock.now - began > SERVICE_WITHIN


def test_a_node_that_does_not_answer_while_it_starts_is_waited_for(upgraded: World) -> None:
    upgraded.nodes[NODE].unreachable = [TransientError("no route")]
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK


def test_a_retry_forgets_the_proof_until_it_has_a_new_one(upgraded: World) -> None:
    upgraded.run(Step.VERIFY)
    upgraded.cloud.errors["fetch_hypervisor"] = [TransientError("HTTP 503")] * 99
    with pytest.raises(TransientError):
        upgraded.run(Step.VERIFY, last_try=True)
    assert upgraded.facts().verified is None
    upgraded.run(Step.RELEASE)
    assert not upgraded.enabled()


def test_a_cloud_that_is_away_for_minutes_takes_nothing_of_the_nodes_time(upgraded: World) -> None:
    host = upgraded.cloud.hosts[NODE]
    away = upgraded.clock.now + timedelta(minutes=5)
    up = away + timedelta(seconds=30)
    host.hypervisor = ServiceState.DOWN

    def refuse(method: str) -> None:
        if method.startswith("fetch") and upgraded.clock.now < away:
            raise TransientError("HTTP 503")
        if upgraded.clock.now > up:
            host.hypervisor = ServiceState.UP

    upgraded.cloud.before = lambda method: refuse(method) if method == "fetch_hypervisor" else None
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK
    assert upgraded.clock.now > up


def test_a_canary_that_cannot_be_asked_for_is_another_try(upgraded: World) -> None:
    upgraded.cloud.errors["run_canary"] = [TransientError("HTTP 503")]
    with pytest.raises(TransientError):
        upgraded.run(Step.VERIFY)
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK


def test_a_person_who_takes_the_node_during_the_canary_ends_it(upgraded: World) -> None:
    def take(method: str) -> None:
        if method == "run_canary":
            upgraded.cloud.before = None
            upgraded.cloud.person_disables(NODE)

    upgraded.cloud.before = take
    assert upgraded.run(Step.VERIFY).code is Code.LEASE_LOST
    assert upgraded.facts().verified is None
    upgraded.run(Step.RELEASE)
    assert upgraded.service().disabled_reason == "broken fan"


def test_a_bundle_that_brings_nothing_is_not_asked_for_a_version(world: World) -> None:
    world.bundle = replace(BUNDLE, mechanism=NoMechanism())
    world.run_up_to(Step.UPGRADE)
    world.nodes[NODE].unreachable = [TransientError("no route")] * 9
    assert world.run(Step.VERIFY).outcome is Outcome.OK


def test_a_node_of_dedicated_cpus_is_proved_by_what_it_had(world: World) -> None:
    host = world.cloud.hosts[NODE]
    host.inventory = {"PCPU": ResourceInventory(total=16), "MEMORY_MB": ResourceInventory(total=4096)}
    world.run_up_to(Step.UPGRADE)
    assert world.facts().totals == {"PCPU": 16, "MEMORY_MB": 4096}
    assert world.run(Step.VERIFY).outcome is Outcome.OK


def test_a_node_that_lost_a_class_of_resources_is_not_proved(world: World) -> None:
    host = world.cloud.hosts[NODE]
    host.inventory = {**host.inventory, "VGPU": ResourceInventory(total=4)}
    world.run_up_to(Step.UPGRADE)
    host.inventory = {**host.inventory, "VGPU": ResourceInventory(total=0)}
    result = world.run(Step.VERIFY)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.INVENTORY_MISSING)
    assert "no VGPU (4 before its upgrade)" in result.message


def test_the_canary_is_what_the_operator_wants(upgraded: World) -> None:
    upgraded.cloud.canary = CanaryWish(flavor="pinned", network="prove")
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK
    assert upgraded.cloud.wishes == [CanaryWish(flavor="pinned", network="prove")]


def test_without_a_canary_the_rest_proves_the_node(upgraded: World) -> None:
    upgraded.cloud.canary = CanaryWish(off=True)
    break_canary(upgraded)
    assert upgraded.run(Step.VERIFY).outcome is Outcome.OK
    assert "canary" not in upgraded.verbs()


def test_what_the_node_runs_after_the_switch_is_recorded_good_or_not(upgraded: World) -> None:
    upgraded.nodes[NODE].versions = "deb.qemu-system-x86=ii |1:10.0.2+ds-2\n"
    assert upgraded.run(Step.VERIFY).details["software"] == {"qemu": "1:10.0.2+ds-2"}
    break_canary(upgraded)
    failed = upgraded.run(Step.VERIFY)
    assert (failed.outcome, failed.details["software"]) == (Outcome.FAILED, {"qemu": "1:10.0.2+ds-2"})
