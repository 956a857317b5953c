from __future__ import annotations

from dataclasses import replace

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_records import START
from tests.steps.worlds import BUNDLE, NODE, World

from escalator.model.bundle import NoMechanism
from escalator.model.campaign import NodeState, Step
from escalator.model.errors import SupersededError, TransientError
from escalator.model.step import Outcome
from escalator.model.verdict import Code, Subject, SubjectType, Verdict
from escalator.steps import precheck as module
from escalator.steps.precheck import PATIENCE


@pytest.fixture
def admitted(world: World) -> World:
    world.admit()
    return world


def test_a_good_node_gets_its_drain_plan(admitted: World) -> None:
    admitted.boot("web", vm_state="active")
    admitted.boot("off", vm_state="stopped")
    admitted.boot("elsewhere", "node-02")
    result = admitted.run(Step.PRECHECK)
    assert (result.outcome, result.details["servers"]) == (Outcome.OK, 2)
    plan = admitted.fact("drain_plan")
    assert {(m["server_id"], m["method"]) for m in plan["moves"]} == {("web", "live"), ("off", "cold")}
    assert all(NODE not in m["destinations"] for m in plan["moves"])
    assert admitted.progress().state is NodeState.CHECKED


def test_every_blocker_is_told_at_once_and_release_gives_the_node_back(admitted: World) -> None:
    admitted.boot("broken", vm_state="error")
    admitted.boot("asleep", vm_state="suspended")
    admitted.boot("web")
    result = admitted.run(Step.PRECHECK)
    assert result.outcome is Outcome.HELD
    for words in ("server broken", "in ERROR", "server asleep", "suspended"):
        assert words in result.message
    assert "server web" not in result.message
    assert admitted.fact("drain_plan") is None
    assert admitted.progress().state is NodeState.HELD
    admitted.run(Step.RELEASE)
    assert admitted.enabled()


def test_a_busy_server_is_waited_for(admitted: World) -> None:
    guest = admitted.boot("web", task_state="rebooting")

    def rest(_method: str) -> None:
        if (admitted.clock.now - START).total_seconds() > 5:
            guest.task_state = None

    admitted.cloud.before = rest
    assert admitted.run(Step.PRECHECK).outcome is Outcome.OK
    assert admitted.clock.now - START < PATIENCE


def test_a_server_that_stays_busy_holds_the_node(admitted: World) -> None:
    admitted.boot("web", task_state="rebooting")
    result = admitted.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.SERVER_BUSY)
    assert admitted.clock.now - START > PATIENCE


def test_a_server_that_lands_after_the_reads_is_unsettled(admitted: World) -> None:
    def land(method: str) -> None:
        if method == "fetch_snapshot":
            admitted.cloud.before = None
            admitted.boot("late")

    admitted.cloud.before = land
    assert admitted.run(Step.PRECHECK).code is Code.SERVERS_UNSETTLED


def test_a_resize_that_waits_for_its_owner_holds_both_nodes(admitted: World) -> None:
    admitted.boot("web", vm_state="stopped")
    admitted.cloud.start_cold_migration("web", "node-02")
    for _ in range(6):
        admitted.cloud.fetch_migrations()
    result = admitted.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.SERVER_UNCONFIRMED_RESIZE)


def test_what_the_node_lacks_is_a_blocker_beside_those_of_servers(
    admitted: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lack = Verdict(
        code=Code.NODE_TOOL_MISSING, message="no python3", subject=Subject(type=SubjectType.NODE, id=NODE)
    )
    monkeypatch.setattr(module, "check_privileges", lambda _shell, _mechanism: (lack,))
    admitted.boot("broken", vm_state="error")
    message = admitted.run(Step.PRECHECK).message
    assert "no python3" in message
    assert "broken" in message


def test_a_bundle_that_brings_nothing_needs_no_shell(world: World) -> None:
    world.bundle = replace(BUNDLE, mechanism=NoMechanism())
    world.admit()
    world.nodes[NODE].unreachable = [TransientError("no route")]
    assert world.run(Step.PRECHECK).outcome is Outcome.OK


def test_without_the_lease_nothing_is_done(make_world: MakeWorld) -> None:
    world = make_world()
    result = world.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.LEASE_LOST)
    assert world.fact("drain_plan") is None


def test_a_superseded_attempt_forgets_nothing_of_the_newer_ones_drain(admitted: World) -> None:
    def newer(method: str) -> None:
        if method == "fetch_snapshot":
            admitted.cloud.before = None
            admitted.begin(Step.MIGRATE).put_fact("drain_started", "2026")

    admitted.cloud.before = newer
    with pytest.raises(SupersededError):
        admitted.run(Step.PRECHECK)
    assert admitted.fact("drain_started") == "2026"
