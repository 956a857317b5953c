from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import NoReturn

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_records import START
from tests.steps.worlds import BUNDLE, NEW, NODE, World

from escalator.model.bundle import NoMechanism
from escalator.model.campaign import NodeState, Step
from escalator.model.errors import ForbiddenError, NodeFaultError, SupersededError, TransientError
from escalator.model.feature import Feature
from escalator.model.step import Outcome
from escalator.model.verdict import Code
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
    plan = admitted.drain_plan()
    assert {(m.server_id, m.method) for m in plan.moves} == {("web", "live"), ("off", "cold")}
    assert all(NODE not in m.destinations for m in plan.moves)
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
    assert admitted.facts().drain_plan is None
    assert admitted.progress().state is NodeState.HELD
    admitted.run(Step.RELEASE)
    assert admitted.enabled()


def test_a_busy_server_is_planned_like_the_others_and_not_waited_for(admitted: World) -> None:
    admitted.boot("web", task_state="image_snapshot")
    admitted.boot("new", vm_state="building", task_state="spawning")
    began = admitted.clock.now
    result = admitted.run(Step.PRECHECK)
    assert result.outcome is Outcome.OK
    assert (admitted.clock.now - began).total_seconds() < 5
    assert [m.server_id for m in admitted.drain_plan().moves] == ["web"]
    assert any("image_snapshot" in str(verdict) for verdict in result.details["verdicts"])  # type: ignore[attr-defined]


def test_a_server_that_lands_after_the_reads_is_planned_too(admitted: World) -> None:
    def land(method: str) -> None:
        if method == "fetch_snapshot":
            admitted.cloud.before = None
            admitted.boot("late")

    admitted.cloud.before = land
    assert admitted.run(Step.PRECHECK).outcome is Outcome.OK
    assert [m.server_id for m in admitted.drain_plan().moves] == ["late"]


def test_servers_that_never_stop_coming_are_unsettled(admitted: World) -> None:
    def land(method: str) -> None:
        if method == "fetch_servers" and not admitted.cloud.guests.pop("late", None):
            admitted.boot("late")

    admitted.cloud.before = land
    began = admitted.clock.now
    assert admitted.run(Step.PRECHECK).code is Code.SERVERS_UNSETTLED
    assert admitted.clock.now - began > PATIENCE


def test_a_cloud_that_is_away_for_minutes_ends_no_precheck(admitted: World) -> None:
    admitted.boot("web")
    away = admitted.clock.now + timedelta(minutes=5)

    def refuse(_method: str) -> None:
        if admitted.clock.now < away:
            raise TransientError("HTTP 503")

    admitted.cloud.before = refuse
    with suppress(TransientError):  # the lease is read before anything is waited for
        admitted.run(Step.PRECHECK)
    admitted.cloud.before = lambda method: refuse(method) if method != "fetch_service" else None
    assert admitted.run(Step.PRECHECK).outcome is Outcome.OK


def test_an_old_record_of_a_cold_migration_blocks_nothing(admitted: World) -> None:
    """As Nova leaves one behind when a resize is reset by hand."""
    guest = admitted.boot("web", vm_state="stopped")
    admitted.cloud.start_cold_migration("web", "node-02")
    for _ in range(6):
        admitted.cloud.fetch_migrations()
    guest.vm_state, guest.host = "active", NODE
    admitted.clock.sleep(200 * 86400)
    assert admitted.run(Step.PRECHECK).outcome is Outcome.OK
    for step in (Step.MIGRATE, Step.UPGRADE):
        assert admitted.run(step).outcome is Outcome.OK


def test_a_resize_that_waits_for_its_owner_holds_both_nodes(admitted: World) -> None:
    admitted.boot("web", vm_state="stopped")
    admitted.cloud.start_cold_migration("web", "node-02")
    for _ in range(6):
        admitted.cloud.fetch_migrations()
    result = admitted.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.SERVER_UNCONFIRMED_RESIZE)


@pytest.fixture
def resized(make_world: MakeWorld) -> World:
    """A world whose second node is out too, with a server that waits there for the first one's drain."""
    world = make_world(max_parallel=2)
    world.boot("web", vm_state="stopped")
    world.admit()
    world.cloud.start_cold_migration("web", "node-02")
    for _ in range(6):
        world.cloud.fetch_migrations()
    assert world.cloud.guests["web"].vm_state == "resized"
    world.admit("node-02")
    return world


def test_a_cold_migration_that_another_drain_is_about_to_confirm_is_waited_for(resized: World) -> None:
    world = resized
    began = world.clock.now

    def confirm(_method: str) -> None:
        if (world.clock.now - began).total_seconds() > 5:
            world.cloud.before = None
            world.cloud.confirm_resize("web")

    world.cloud.before = confirm
    assert world.run(Step.PRECHECK, "node-02").outcome is Outcome.OK
    assert [m.server_id for m in world.drain_plan("node-02").moves] == ["web"]


def test_a_cold_migration_that_is_never_confirmed_holds_the_node(resized: World) -> None:
    began = resized.clock.now
    result = resized.run(Step.PRECHECK, "node-02")
    assert (result.outcome, result.code) == (Outcome.HELD, Code.SERVER_UNCONFIRMED_RESIZE)
    assert resized.clock.now - began > PATIENCE


def test_a_node_that_is_taken_back_while_its_servers_settle_is_looked_at_no_further(admitted: World) -> None:
    def land(method: str) -> None:
        if method == "fetch_servers":
            admitted.boot(f"late-{len(admitted.cloud.guests)}")
        if len(admitted.cloud.guests) == 3:
            admitted.cloud.person_enables(NODE)

    admitted.cloud.before = land
    assert admitted.run(Step.PRECHECK).code is Code.LEASE_LOST
    assert len(admitted.cloud.guests) == 3


def test_what_the_node_lacks_is_a_blocker_beside_those_of_servers(admitted: World) -> None:
    admitted.nodes[NODE].lacks = ("no python3",)
    admitted.boot("broken", vm_state="error")
    message = admitted.run(Step.PRECHECK).message
    assert "no python3" in message
    assert "broken" in message


def test_what_cannot_be_staged_gives_the_node_back_before_a_server_is_moved(admitted: World) -> None:
    admitted.boot("web")
    admitted.nodes[NODE].stage_faults = [NodeFaultError("nova cannot be staged: disk full")]
    result = admitted.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.STAGE_FAILED)
    assert "disk full" in result.message
    assert (admitted.progress().state, admitted.facts().touched) == (NodeState.HELD, False)
    admitted.run(Step.RELEASE)
    assert admitted.enabled()
    assert admitted.service().disabled_reason is None
    assert admitted.cloud.requested("web") == []


def test_why_it_cannot_be_staged_is_said_by_its_own_code_and_remedy(admitted: World) -> None:
    admitted.nodes[NODE].stage_faults = [NodeFaultError("nova cannot be staged: exit code 1")]
    admitted.nodes[NODE].lacks = ("no python3",)
    result = admitted.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.NODE_TOOL_MISSING)
    assert result.message.startswith("nova cannot be staged: exit code 1; node node-01: no python3")


def test_a_fault_that_has_a_code_of_its_own_keeps_it(admitted: World) -> None:
    damaged = NodeFaultError("its archive is damaged", remedy="name another one", code=Code.BACKUP_FAILED)
    admitted.nodes[NODE].stage_faults = [damaged]
    result = admitted.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.BACKUP_FAILED)
    assert "name another one" in result.message


def test_a_node_that_falls_silent_after_it_could_not_be_staged_is_given_back_all_the_same(
    admitted: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = admitted.nodes[NODE]

    def fall_silent(version: str) -> NoReturn:
        node.unreachable = [TransientError("no route")]
        raise NodeFaultError(f"{version} cannot be staged: exit code 1")

    monkeypatch.setattr(node, "stage", fall_silent)
    result = admitted.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.STAGE_FAILED)


def test_what_prepare_could_not_stage_is_staged_before_the_drain(admitted: World) -> None:
    assert admitted.nodes[NODE].staged == set()
    assert admitted.run(Step.PRECHECK).outcome is Outcome.OK
    assert admitted.nodes[NODE].staged == {NEW}


def test_a_node_that_does_not_answer_while_it_is_staged_may_be_tried_again(admitted: World) -> None:
    admitted.nodes[NODE].unreachable = [TransientError("no route")]
    with pytest.raises(TransientError):
        admitted.run(Step.PRECHECK)
    assert admitted.run(Step.PRECHECK).outcome is Outcome.OK


def test_a_bundle_that_brings_nothing_needs_no_shell(world: World) -> None:
    world.bundle = replace(BUNDLE, mechanism=NoMechanism())
    world.admit()
    world.nodes[NODE].unreachable = [TransientError("no route")]
    assert world.run(Step.PRECHECK).outcome is Outcome.OK


def test_without_the_lease_nothing_is_done(make_world: MakeWorld) -> None:
    world = make_world()
    result = world.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.LEASE_LOST)
    assert world.facts().drain_plan is None


def test_a_superseded_attempt_forgets_nothing_of_the_newer_ones_drain(admitted: World) -> None:
    def newer(method: str) -> None:
        if method == "fetch_snapshot":
            admitted.cloud.before = None
            admitted.begin(Step.MIGRATE).remember(drain_started=START)

    admitted.cloud.before = newer
    with pytest.raises(SupersededError):
        admitted.run(Step.PRECHECK)
    assert admitted.facts().drain_started == START


def test_a_server_with_an_accelerator_on_a_port_holds_the_node_before_a_move(admitted: World) -> None:
    guest = admitted.cloud.boot("fpga", NODE)
    guest.port_features = frozenset({Feature.ACCELERATOR_PORT})
    result = admitted.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.SERVER_REFUSED)
    assert "neither live nor cold" in result.message


def test_a_server_with_a_share_holds_the_node_and_the_remedy_is_to_detach_it(admitted: World) -> None:
    admitted.boot("web")
    admitted.cloud.boot("files", NODE).has_share = True
    result = admitted.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.SERVER_REFUSED)
    assert "files" in result.message
    assert "a share of Manila" in result.message


def test_shares_that_may_not_be_listed_are_left_to_nova(admitted: World) -> None:
    admitted.boot("web")

    def refuse(method: str) -> None:
        if method == "fetch_share_features":
            raise ForbiddenError("HTTP 403: no")

    admitted.cloud.before = refuse
    assert admitted.run(Step.PRECHECK).outcome is Outcome.OK


def test_what_the_nodes_nova_allows_busy_servers_is_said_and_blocks_nothing(admitted: World) -> None:
    admitted.nodes[NODE].nova_conf = "file=/etc/nova/nova.conf\nlive_migration_inbound_addr=10.0.0.9\n"
    admitted.boot("web")
    result = admitted.run(Step.PRECHECK)
    assert result.outcome is Outcome.OK
    (said,) = [words for words in result.details["verdicts"] if "migration_settings" in words]
    assert "is aborted after 1600 s" in said


def test_what_the_node_runs_before_it_is_touched_is_recorded(admitted: World) -> None:
    admitted.nodes[NODE].versions = "program.qemu=QEMU emulator version 7.2.15\n"
    before = len(admitted.connections)
    assert admitted.run(Step.PRECHECK).details["software"] == {"qemu": "7.2.15"}
    admitted.nodes[NODE].versions = ""
    assert admitted.run(Step.PRECHECK).details["software"] == {}
    asked = admitted.connections[before:]
    assert asked == [NODE] * 4  # twice: to stage, and to look
