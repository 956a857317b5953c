"""The silences of a node that is out, and the gate of alerts before the next one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.alerts.fake_source import FakeSource
from tests.steps.conftest import MakeWorld
from tests.steps.fake_records import KilledError
from tests.steps.worlds import BUNDLE_DOCUMENT, NODE, OLD, World

from escalator.alerts.watch import AlertWatch
from escalator.ledger.records import Document
from escalator.model.alerts import Alert, AlertSettings, AtStart, Matcher
from escalator.model.campaign import NodeState, Step
from escalator.model.decisions import Admission
from escalator.model.errors import InvalidRequestError, NodeFaultError, PlanInfeasibleError, TransientError
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.campaign.check_conditions import check

GATE = ((Matcher.parse("severity=critical"),),)
OLD_ALERT = Alert(fingerprint="old", labels={"alertname": "Old", "severity": "critical"})
NEW_ALERT = Alert(fingerprint="new", labels={"alertname": "CephDown", "severity": "critical"})
HOUR = timedelta(hours=1)


def declare(world: World, **settings: object) -> FakeSource:
    source = FakeSource(acted=world.fuse.burn)
    declared = AlertSettings(conn_id="am", **settings)  # type: ignore[arg-type]
    world.alerts = AlertWatch(declared, lambda: source)
    return source


@pytest.fixture
def source(world: World) -> FakeSource:
    return declare(world)


def test_where_nothing_is_declared_nothing_is_silenced(world: World) -> None:
    world.run_up_to(Step.RELEASE)
    assert world.facts().silencing is None


def test_a_node_is_silent_from_before_its_lease_until_it_is_back(world: World, source: FakeSource) -> None:
    seen: list[int] = []
    world.cloud.audit = lambda _: seen.append(len(source.silences))
    world.run_up_to(Step.RELEASE)
    assert seen
    assert set(seen) == {2}
    assert source.silences == []
    told = world.facts().silencing
    assert told is not None
    assert told.ended_at is not None
    assert f"campaign {world.plan.campaign}, run {world.plan.run_id}" in told.comment
    assert world.plan.lease(NODE).token in told.comment


def test_it_lasts_as_long_as_each_step_may_take_and_a_margin(world: World, source: FakeSource) -> None:
    world.admit()
    margin = AlertSettings(conn_id="am").margin
    first = source.silences[0].ends_at
    assert world.clock.now + margin < first < world.clock.now + margin + HOUR
    for step in (Step.PRECHECK, Step.SWITCHOVER, Step.MIGRATE, Step.UPGRADE):
        world.clock.sleep(1200)
        world.run(step)
        assert {s.ends_at > world.clock.now + margin for s in source.silences} == {True}
    assert len(source.silences) == 2


def test_a_step_goes_on_when_its_silence_cannot_be_made_longer(world: World, source: FakeSource) -> None:
    world.admit()
    source.errors = [TransientError("HTTP 503")]
    assert world.run(Step.PRECHECK).outcome is Outcome.OK


def test_a_node_that_stays_out_is_heard_again_when_its_silence_runs_out(
    world: World, source: FakeSource
) -> None:
    world.nodes[NODE].activate_faults = [NodeFaultError("disk full")]
    world.run_up_to(Step.UPGRADE)
    world.run(Step.RELEASE)
    assert world.progress().state is NodeState.FAILED
    assert len(source.silences) == 2


def test_a_node_that_is_taken_once_more_is_known_to_be_silent_as_long_as_it_is(
    world: World, source: FakeSource
) -> None:
    """Its upgrade had let it be silent for hours: whoever gives it back has to find that."""
    world.nodes[NODE].activate_faults = [NodeFaultError("disk full")]
    world.run_up_to(Step.UPGRADE)
    world.run(Step.RELEASE)
    world.admit()
    told = world.facts().silencing
    assert told is not None
    assert {silence.ends_at for silence in source.silences} == {told.ends_at}


def brought_back(world: World, run_id: str) -> World:
    """A node whose first run left it out, and whose second one is about to give it back."""
    world.nodes[NODE].activate_faults = [NodeFaultError("disk full")]
    world.run_up_to(Step.UPGRADE)
    world.run(Step.RELEASE)
    world.cloud.person_enables(NODE)
    world.nodes[NODE].running = world.nodes[NODE].installed = OLD
    world.plan = world.make_plan(run_id)
    world.open(world.plan)
    return world


def test_the_run_that_brings_a_node_back_ends_what_an_earlier_one_left(
    world: World, source: FakeSource
) -> None:
    brought_back(world, "ends-earlier").run_up_to(Step.VERIFY)
    assert len({silence.comment for silence in source.silences}) == 2
    world.run(Step.RELEASE)
    assert world.progress().state is NodeState.RELEASED
    assert source.silences == []


def test_a_run_that_does_not_get_the_node_leaves_what_an_earlier_one_left(
    world: World, source: FakeSource
) -> None:
    brought_back(world, "gets-none")
    before = [silence.comment for silence in source.silences]
    source.errors = [TransientError("HTTP 500")]
    assert world.admit().admission is Admission.WAIT
    assert [silence.comment for silence in source.silences] == before


@pytest.mark.parametrize("error", [TransientError("HTTP 500"), InvalidRequestError("bad matcher")])
def test_a_node_does_not_go_before_it_is_silenced(world: World, source: FakeSource, error: Exception) -> None:
    source.errors = [error]
    decision = world.admit()
    assert (decision.admission, decision.code) == (Admission.WAIT, Code.WATCHER_SILENT)
    assert world.enabled()


def test_giving_back_waits_for_no_alertmanager(world: World, source: FakeSource) -> None:
    world.run_up_to(Step.VERIFY)
    source.errors = [TransientError("HTTP 500")]
    result = world.run(Step.RELEASE)
    assert world.progress().state is NodeState.RELEASED
    assert "the silence of its alerts runs out at" in result.message


@pytest.mark.parametrize("at", [*range(3, 19, 2), 42, 52, 58])
def test_killed_at_any_moment_no_silence_is_left_and_none_is_doubled(make_world: MakeWorld, at: int) -> None:
    world = make_world()
    source = declare(world)
    world.fuse.left = at
    most = 0
    for _ in range(2):
        with suppress(KilledError):
            world.run_up_to(Step.RELEASE)
        most = max(most, len(source.silences))
    assert world.progress().state is NodeState.RELEASED
    assert source.silences == []
    assert most <= 2


def gated(world: World, at_start: AtStart = AtStart.ACCEPT) -> FakeSource:
    source = declare(world, gate=GATE, at_start=at_start, silence=())
    source.alerts = [OLD_ALERT]
    world.plan = replace(world.plan, run_id=f"{world.plan.run_id}-gate", hosts=())
    return source


def begin(world: World) -> None:
    world.plan, _ = check(world.context(), BUNDLE_DOCUMENT, known_hosts=world.hosts)


def test_an_alert_since_the_start_lets_no_further_node_go(world: World) -> None:
    source = gated(world)
    begin(world)
    source.alerts = [OLD_ALERT, NEW_ALERT]
    decision = world.admit()
    assert (decision.admission, decision.code) == (Admission.WAIT, Code.ALERTS)
    assert decision.message.startswith("CephDown (severity=critical) fires since the campaign began")
    source.alerts = [OLD_ALERT]
    assert world.admit().admission is Admission.ADMIT
    source.alerts = [NEW_ALERT]
    assert world.admit().admission is Admission.ADMIT, "what is out goes on"
    assert world.masakari.calls == 0


def test_a_second_check_keeps_the_first_baseline(world: World) -> None:
    source = gated(world)
    begin(world)
    source.alerts = [NEW_ALERT]
    begin(world)
    assert world.recorded.document(Document.ALERTS)["baseline"] == {"old": "Old (severity=critical)"}
    assert world.admit().code is Code.ALERTS


def test_an_alert_before_the_start_refuses_it_unless_it_is_accepted(world: World) -> None:
    source = gated(world, AtStart.REFUSE)
    with pytest.raises(PlanInfeasibleError, match="Old"):
        begin(world)
    source.alerts = []
    begin(world)
    source.alerts = [OLD_ALERT]
    assert world.admit().code is Code.ALERTS


def test_who_does_not_say_which_alerts_fire_keeps_every_node_in(world: World) -> None:
    source = gated(world)
    begin(world)
    source.errors = [TransientError("HTTP 500")]
    decision = world.admit()
    assert (decision.admission, decision.code) == (Admission.WAIT, Code.WATCHER_SILENT)
