"""Servers that were stopped run again when their node is proved; one that does not is a person's to mend."""

from __future__ import annotations

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_power import PowerFault
from tests.steps.fake_records import KilledError
from tests.steps.worlds import NODE, World

from escalator.model.campaign import NodeState, Step, UpgradeMode
from escalator.model.errors import ForbiddenError, LoginRefusedError, NodeFaultError
from escalator.model.lease import LeaseMark
from escalator.model.step import Outcome
from escalator.model.stops import StopEnd
from escalator.model.verdict import Code
from escalator.system_support.remote_job import JobOverdueError


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world with two servers that must not be moved."""
    world = make_world(mode=UpgradeMode.NON_SMOOTH)
    world.pinned = frozenset({"one", "two"})
    world.boot("one")
    world.boot("two")
    return world


def states(world: World) -> dict[str, str]:
    return {name: guest.vm_state for name, guest in sorted(world.cloud.guests.items())}


def ends(world: World) -> dict[str, StopEnd | None]:
    return {stop.server_id: stop.end for stop in world.facts().stops}


@pytest.mark.parametrize("fault", [PowerFault.FAIL_ON, PowerFault.HANG_ON])
def test_one_that_does_not_start_fails_the_node_and_the_others_run(world: World, fault: PowerFault) -> None:
    world.cloud.guests["one"].power_fault = fault
    result = world.run_up_to(Step.VERIFY)
    assert result is not None
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.SERVER_NOT_STARTED)
    assert "server one" in result.message
    assert states(world)["two"] == "active"
    result = world.run(Step.RELEASE)
    assert world.progress().state is NodeState.FAILED
    assert world.progress().mark is LeaseMark.FAILED
    assert not world.enabled()
    assert "does not run now: Nova does not start it" in result.message
    (down,) = [stop for stop in world.facts().stops if stop.is_down]
    assert (down.server_id, bool(down.fault)) == ("one", True)


def test_what_a_person_mends_is_started_by_the_next_attempt(world: World) -> None:
    world.cloud.guests["one"].power_fault = PowerFault.FAIL_ON
    world.run_up_to(Step.RELEASE)
    world.cloud.guests["one"].power_fault = PowerFault.NONE
    world.admit()
    for step in list(Step)[1:]:
        assert world.run(step).outcome is Outcome.OK
    assert states(world) == {"one": "active", "two": "active"}
    assert world.enabled()
    assert [stop for stop in world.facts().stops if stop.is_open] == []


def test_what_owners_did_meanwhile_holds(world: World) -> None:
    world.run_up_to(Step.UPGRADE)
    world.cloud.delete("one")
    world.cloud.guests["two"].vm_state = "active"
    assert world.run(Step.VERIFY).outcome is Outcome.OK
    assert "start" not in world.verbs()
    assert ends(world) == {"one": StopEnd.GONE, "two": StopEnd.RUNS}


def test_one_that_was_taken_to_another_node_is_started_there(world: World) -> None:
    world.run_up_to(Step.UPGRADE)
    world.cloud.guests["one"].host = "node-02"
    assert world.run(Step.VERIFY).outcome is Outcome.OK
    assert states(world)["one"] == "active"


def test_a_start_that_was_asked_for_before_the_kill_is_not_asked_for_again(world: World) -> None:
    world.run_up_to(Step.UPGRADE)
    asked = iter(range(9))
    world.kill(Step.VERIFY, at=lambda method: method == "fetch_servers" and next(asked) == 1)
    assert world.run(Step.VERIFY).outcome is Outcome.OK
    starts = [w.subject for w in world.cloud.writes if w.verb == "start"]
    assert sorted(starts) == ["one", "two"]


@pytest.mark.parametrize("fault", ["activate", "canary", "dead", "overdue"])
def test_on_a_node_that_fails_they_run_again_where_that_can_be_done(world: World, fault: str) -> None:
    """A node that stays out is none that they must not run on; but one whose job may go on is."""
    world.run_up_to(Step.MIGRATE)
    if fault in {"activate", "overdue"}:
        kind = JobOverdueError if fault == "overdue" else NodeFaultError
        world.nodes[NODE].activate_faults = [kind("no start")]
    elif fault == "canary":
        world.cloud.hosts[NODE].canary_fault = "no bootable device"
    if world.run(Step.UPGRADE).outcome is Outcome.OK:
        if fault == "dead":
            world.cloud.hosts[NODE].died_at = world.clock.now
            world.nodes[NODE].unit = "failed"
        assert world.run(Step.VERIFY).outcome is Outcome.FAILED
    result = world.run(Step.RELEASE)
    assert (world.progress().state, world.enabled()) == (NodeState.FAILED, False)
    if fault in {"activate", "canary"}:
        assert states(world) == {"one": "active", "two": "active"}
        return
    assert states(world) == {"one": "stopped", "two": "stopped"}
    why = {"dead": "nova-compute of its node is not up", "overdue": "may go on"}[fault]
    assert result.message.count(why) == 2
    assert all(why in stop.fault for stop in world.facts().stops)


@pytest.mark.parametrize("person", ["enables", "disables"])
def test_on_a_node_that_somebody_took_they_run_again_once_it_is_in_service(world: World, person: str) -> None:
    world.run_up_to(Step.UPGRADE)
    getattr(world.cloud, f"person_{person}")(NODE)
    world.run(Step.VERIFY)
    result = world.run(Step.RELEASE)
    if person == "enables":
        assert states(world) == {"one": "active", "two": "active"}
    else:
        assert states(world) == {"one": "stopped", "two": "stopped"}
        assert "not this run's any more" in result.message


@pytest.mark.parametrize("step", [Step.UPGRADE, Step.VERIFY])
def test_of_a_step_that_was_cut_off_only_an_upgrade_may_go_on(
    world: World, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run_up_to(list(Step)[list(Step).index(step) - 1])
    if step is Step.VERIFY:
        world.kill(step, at=lambda called: called == "run_canary")
    else:

        def be_killed(_version: str) -> None:
            raise KilledError

        monkeypatch.setattr(world.nodes[NODE], "activate", be_killed)
        with pytest.raises(KilledError):
            world.run(step)
    said = world.run(Step.RELEASE).message
    assert world.progress().state is NodeState.FAILED
    if step is Step.VERIFY:
        assert states(world) == {"one": "active", "two": "active"}
    else:
        assert states(world) == {"one": "stopped", "two": "stopped"}
        assert said.count("may go on") == 2


@pytest.mark.parametrize("kind", [NodeFaultError, LoginRefusedError])
def test_while_a_node_cannot_be_reached_its_job_may_go_on(world: World, kind: type[NodeFaultError]) -> None:
    world.run_up_to(Step.MIGRATE)
    world.nodes[NODE].activate_faults = [kind("no route to host", code=Code.NODE_UNREACHABLE)]
    assert world.run(Step.UPGRADE, last_try=True).outcome is Outcome.FAILED
    said = world.run(Step.RELEASE).message
    assert states(world) == {"one": "stopped", "two": "stopped"}
    assert said.count("may go on") == 2
    assert "clear node-01.upgrade with downstream" in said


def test_a_release_that_is_killed_before_it_started_them_is_followed_by_one_that_does(world: World) -> None:
    world.run_up_to(Step.UPGRADE)
    world.kill(Step.VERIFY, at=lambda called: called == "run_canary")
    world.kill(Step.RELEASE, at=lambda called: called == "start_server")
    assert (world.progress().state, world.progress().code) == (NodeState.FAILED, Code.CUT_OFF)
    world.run(Step.RELEASE)
    assert states(world) == {"one": "active", "two": "active"}


@pytest.mark.parametrize("step", [Step.VERIFY, Step.RELEASE])
def test_one_whose_start_nova_forbids_holds_up_none_of_the_others(world: World, step: Step) -> None:
    world.run_up_to(Step.UPGRADE)
    if step is Step.RELEASE:
        world.kill(Step.VERIFY, at=lambda called: called == "run_canary")
    start = world.cloud.start_server

    def refused(server_id: str) -> None:
        if server_id == "one":
            raise ForbiddenError("HTTP 403: os_compute_api:servers:start")
        start(server_id)

    world.cloud.start_server = refused  # type: ignore[method-assign]
    result = world.run(step, last_try=True)
    assert states(world) == {"one": "stopped", "two": "active"}
    assert "Nova does not start it: HTTP 403" in result.message
    assert [stop.server_id for stop in world.facts().stops if stop.is_down] == ["one"]
    assert not world.enabled()
