"""Masakari's flag of a node: set before the disable, cleared after the enable, and only when it is ours."""

from __future__ import annotations

from contextlib import suppress

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_records import KilledError, Write
from tests.steps.worlds import NODE, OLD, World

from escalator.model.campaign import NodeState, Step
from escalator.model.decisions import Admission
from escalator.model.errors import EscalatorError, ForbiddenError, NodeFaultError, TransientError
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.model.watchers import Recovery


@pytest.fixture
def guarded(world: World) -> World:
    """A cloud whose nodes are in a segment of Masakari's."""
    for host in world.hosts:
        world.masakari.add(host)
    return world


def test_without_masakari_nothing_is_asked(world: World) -> None:
    world.run_up_to(Step.RELEASE)
    assert world.progress().state is NodeState.RELEASED
    assert world.masakari.calls == 0
    assert world.facts().maintenance is None


def test_the_flag_is_set_before_the_disable_and_cleared_after_the_enable(guarded: World) -> None:
    seen: list[tuple[str, bool]] = []

    def audit(write: Write) -> None:
        seen.append((write.verb, guarded.masakari.is_on(NODE)))

    guarded.cloud.audit = audit
    guarded.run_up_to(Step.RELEASE)
    assert {on for verb, on in seen if verb in {"disable", "enable"}} == {True}
    assert guarded.masakari.writes == [(NODE, True), (NODE, False)]
    flag = guarded.facts().maintenance
    assert flag is not None
    assert flag.cleared_at is not None


def test_a_flag_of_a_person_stays(guarded: World) -> None:
    guarded.masakari.set(NODE, on=True)
    guarded.run_up_to(Step.RELEASE)
    assert guarded.progress().state is NodeState.RELEASED
    assert guarded.masakari.is_on(NODE)
    assert guarded.masakari.writes == []


def test_a_node_in_no_segment_goes_without(guarded: World) -> None:
    del guarded.masakari.hosts[NODE]
    guarded.run_up_to(Step.RELEASE)
    assert guarded.progress().state is NodeState.RELEASED
    assert guarded.masakari.writes == []


def test_a_node_that_failed_keeps_it_and_the_run_that_brings_it_back_clears_it(guarded: World) -> None:
    guarded.nodes[NODE].activate_faults = [NodeFaultError("disk full")]
    guarded.run_up_to(Step.UPGRADE)
    guarded.run(Step.RELEASE)
    assert guarded.progress().state is NodeState.FAILED
    assert guarded.masakari.is_on(NODE)
    guarded.cloud.person_enables(NODE)
    guarded.nodes[NODE].running = guarded.nodes[NODE].installed = OLD
    guarded.plan = guarded.make_plan("next")
    guarded.open(guarded.plan)
    guarded.run_up_to(Step.RELEASE)
    assert guarded.progress().state is NodeState.RELEASED
    assert not guarded.masakari.is_on(NODE)


def test_a_node_that_is_given_back_before_anything_was_done_has_none(guarded: World) -> None:
    guarded.boot("stuck", vm_state="error")
    guarded.admit()
    assert guarded.masakari.is_on(NODE)
    assert guarded.run(Step.PRECHECK).outcome is Outcome.HELD
    guarded.run(Step.RELEASE)
    assert guarded.enabled()
    assert not guarded.masakari.is_on(NODE)


def test_the_loser_of_a_race_takes_it_back(guarded: World) -> None:
    def act(called: str) -> None:
        if called == "ensure_disabled":
            guarded.cloud.before = None
            other = guarded.make_plan("another").lease("node-02")
            guarded.cloud.person_disables("node-02", other.render())

    guarded.cloud.before = act
    assert guarded.admit().admission is Admission.WAIT
    assert guarded.masakari.writes == [(NODE, True), (NODE, False)]


@pytest.mark.parametrize("error", [TransientError("HTTP 500"), ForbiddenError("HTTP 403")])
def test_a_masakari_that_does_not_answer_keeps_every_node_in(guarded: World, error: Exception) -> None:
    guarded.masakari.errors = [error]
    decision = guarded.admit()
    assert (decision.admission, decision.code) == (Admission.WAIT, Code.WATCHER_SILENT)
    assert guarded.verbs() == []
    guarded.masakari.errors = []
    assert guarded.admit().admission is Admission.ADMIT


def test_a_node_does_not_go_before_its_flag_is_set(guarded: World) -> None:
    guarded.cloud.before = lambda called: (
        guarded.masakari.errors.append(TransientError("HTTP 503")) if called == "fetch_service" else None
    )
    decision = guarded.admit()
    assert (decision.admission, decision.code) == (Admission.WAIT, Code.WATCHER_SILENT)
    assert guarded.enabled()


@pytest.mark.parametrize(
    ("hosts", "admission"),
    [
        (frozenset({"node-01", "node-03"}), Admission.WAIT),
        (None, Admission.WAIT),
        (frozenset({"node-03"}), Admission.ADMIT),
    ],
)
def test_a_recovery_keeps_the_nodes_of_its_segment_in(
    guarded: World, hosts: frozenset[str] | None, admission: Admission
) -> None:
    guarded.masakari.recoveries = (
        Recovery(id="n-1", status="running", type="COMPUTE_HOST", source="node-03", hosts=hosts),
    )
    decision = guarded.admit()
    assert decision.admission is admission
    if admission is Admission.WAIT:
        assert decision.code is Code.RECOVERY_RUNS
        assert "COMPUTE_HOST recovery of node-03, notification n-1 is running" in decision.message


def test_masakari_is_not_asked_about_a_node_that_waits_for_another(guarded: World) -> None:
    assert guarded.admit().admission is Admission.ADMIT
    asked = guarded.masakari.calls
    assert guarded.admit("node-02").admission is Admission.WAIT
    assert guarded.masakari.calls == asked


def test_a_recovery_does_not_concern_a_node_that_is_out(guarded: World) -> None:
    guarded.admit()
    guarded.masakari.recoveries = (Recovery(id="n-1", status="new", type="VM"),)
    assert guarded.admit().admission is Admission.ADMIT


def test_a_release_tries_again_until_it_is_cleared_and_restores_the_rest_before(guarded: World) -> None:
    guarded.run_up_to(Step.VERIFY)
    guarded.masakari.errors = [TransientError("HTTP 409")]
    with pytest.raises(TransientError):
        guarded.run(Step.RELEASE)
    assert guarded.enabled()
    assert guarded.masakari.is_on(NODE)
    guarded.run(Step.RELEASE)
    assert not guarded.masakari.is_on(NODE)
    assert guarded.progress().state is NodeState.RELEASED


def test_a_host_that_left_its_segment_has_nothing_to_clear(guarded: World) -> None:
    guarded.run_up_to(Step.VERIFY)
    del guarded.masakari.hosts[NODE]
    guarded.run(Step.RELEASE)
    assert guarded.progress().state is NodeState.RELEASED


def test_a_node_that_a_person_took_before_its_lease_was_written_has_none(guarded: World) -> None:
    def act(called: str) -> None:
        if called == "ensure_disabled":
            guarded.cloud.before = None
            guarded.cloud.person_disables(NODE)

    guarded.cloud.before = act
    with suppress(EscalatorError):
        guarded.admit()
    assert guarded.masakari.is_on(NODE)
    assert guarded.admit().admission is Admission.SKIP
    assert not guarded.masakari.is_on(NODE)


@pytest.mark.parametrize("at", [*range(2, 16), 40, 48, 52, 54, 56])
def test_killed_at_any_moment_it_is_cleared_in_the_end(make_world: MakeWorld, at: int) -> None:
    world = make_world()
    world.masakari.add(NODE)
    world.fuse.left = at
    for _ in range(2):
        with suppress(KilledError):
            world.run_up_to(Step.RELEASE)
    assert world.progress().state is NodeState.RELEASED
    assert not world.masakari.is_on(NODE)
    assert world.masakari.writes[-1] == (NODE, False)


@pytest.mark.parametrize("at", [4, 6, 8, 50])
def test_killed_at_any_moment_a_flag_of_a_person_stays(make_world: MakeWorld, at: int) -> None:
    world = make_world()
    world.masakari.add(NODE, on_maintenance=True)
    world.fuse.left = at
    for _ in range(2):
        with suppress(KilledError):
            world.run_up_to(Step.RELEASE)
    assert world.masakari.writes == []


def test_killed_before_the_lease_and_never_admitted_again_its_release_clears_it(guarded: World) -> None:
    guarded.cloud.before = lambda called: die() if called == "ensure_disabled" else None
    with pytest.raises(KilledError):
        guarded.admit()
    guarded.cloud.before = None
    assert guarded.masakari.is_on(NODE)
    guarded.run(Step.RELEASE)
    assert not guarded.masakari.is_on(NODE)


def die() -> None:
    raise KilledError


def test_what_an_earlier_run_cleared_and_a_person_set_since_is_the_persons(guarded: World) -> None:
    guarded.run_up_to(Step.RELEASE)
    guarded.masakari.set(NODE, on=True)
    guarded.nodes[NODE].running = guarded.nodes[NODE].installed = OLD
    guarded.plan = guarded.make_plan("later")
    guarded.open(guarded.plan)
    guarded.run_up_to(Step.RELEASE)
    assert guarded.progress().state is NodeState.RELEASED
    assert guarded.masakari.is_on(NODE)
