"""What the check says of those that watch the cloud."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from tests.alerts.fake_source import FakeSource
from tests.steps.fake_records import START
from tests.steps.worlds import NODE, World

from escalator.alerts.watch import AlertWatch
from escalator.model.alerts import Alert, AlertSettings, AtStart, Matcher
from escalator.model.check_report import Condition
from escalator.model.errors import ForbiddenError, TransientError
from escalator.model.verdict import Code, Severity
from escalator.model.watchers import MaintenanceFlag, Recovery
from escalator.steps.campaign.check_watchers import ACTORS, check_watchers


def looked(world: World) -> tuple[Condition, ...]:
    campaign = world.context()
    return tuple(check_watchers(campaign, world.hosts, campaign.fetch_snapshot()))


def test_nothing_is_said_where_nobody_watches(world: World) -> None:
    assert looked(world) == ()
    assert world.masakari.calls == 0


def test_a_quiet_masakari_is_said_with_the_nodes_that_it_knows(world: World) -> None:
    world.masakari.add(NODE)
    world.masakari.add("node-99")
    (condition,) = looked(world)
    assert condition.met
    assert "1 of 3 nodes to be upgraded are in a segment" in condition.message


def test_a_recovery_in_the_segment_of_a_target_blocks(world: World) -> None:
    world.masakari.add(NODE)
    of = frozenset({NODE, "node-99"})
    world.masakari.recoveries = (Recovery(id="n1", status="error", type="VM", source="node-99", hosts=of),)
    (condition,) = looked(world)
    assert (condition.met, condition.severity, condition.code) == (
        False,
        Severity.BLOCKER,
        Code.RECOVERY_RUNS,
    )
    assert condition.hosts == (NODE,)
    assert "VM recovery of node-99, notification n1 is error" in condition.message


def test_a_recovery_elsewhere_does_not_and_one_of_nobody_knows_where_does(world: World) -> None:
    world.masakari.add(NODE)
    elsewhere = Recovery(id="n1", status="new", type="VM", hosts=frozenset({"node-99"}))
    world.masakari.recoveries = (elsewhere,)
    assert [c.met for c in looked(world)] == [True]
    world.masakari.recoveries = (elsewhere, Recovery(id="n2", status="new", type="VM"))
    assert [c.met for c in looked(world)] == [False]


def test_a_masakari_that_does_not_answer_blocks(world: World) -> None:
    world.masakari.add(NODE)
    world.masakari.errors = [ForbiddenError("HTTP 403: policy")]
    (condition,) = looked(world)
    assert (condition.severity, condition.code) == (Severity.BLOCKER, Code.WATCHER_SILENT)
    assert "403" in condition.message


@pytest.mark.parametrize(
    ("cleared_at", "said"), [(START, "no run did that: it stays so"), (None, "an earlier run left it so")]
)
def test_a_node_in_service_that_is_on_maintenance_already_is_named(
    world: World, cleared_at: datetime | None, said: str
) -> None:
    world.masakari.add(NODE, on_maintenance=True)
    flag = MaintenanceFlag(segment_id="s", host_id=f"id-{NODE}", set_at=START, cleared_at=cleared_at)
    world.recorded.remember(NODE, maintenance=flag)
    _, warning = looked(world)
    assert (warning.severity, warning.subject.id) == (Severity.WARNING, NODE)
    assert said in warning.message
    assert warning.remedy is not None
    assert f"--on_maintenance False segment-1 id-{NODE}" in warning.remedy


def test_services_that_act_on_their_own_are_named_with_what_to_switch_off(world: World) -> None:
    world.catalogued |= {"orchestration", "clustering", "load-balancer", "compute"}
    found = looked(world)
    assert [c.code for c in found] == [Code.ACTS_ALONE] * len(ACTORS)
    assert {c.severity for c in found} == {Severity.WARNING}
    assert [c.message.split()[0] for c in found] == ["Octavia", "Heat", "Senlin"]
    assert all(c.remedy for c in found)


def watch(world: World, **settings: Any) -> FakeSource:
    """Declare an Alertmanager."""
    source = FakeSource(alerts=[Alert(fingerprint="f1", labels={"alertname": "X", "severity": "critical"})])
    world.alerts = AlertWatch(AlertSettings(conn_id="am", **settings), lambda: source)
    return source


GATE = ((Matcher.parse("severity=critical"),),)


@pytest.mark.parametrize(
    ("at_start", "severity"), [(AtStart.REFUSE, Severity.BLOCKER), (AtStart.ACCEPT, Severity.WARNING)]
)
def test_an_alert_of_the_gate_that_fires_refuses_the_start_or_is_accepted(
    world: World, at_start: AtStart, severity: Severity
) -> None:
    source = watch(world, gate=GATE, at_start=at_start)
    (condition,) = looked(world)
    assert (condition.code, condition.severity) == (Code.ALERTS, severity)
    assert "1 alert of the gate: X (severity=critical)" in condition.message
    source.alerts = []
    assert [c.met for c in looked(world)] == [True]


def test_without_a_gate_it_is_asked_whether_it_answers(world: World) -> None:
    source = watch(world)
    assert [c.met for c in looked(world)] == [True]
    source.errors = [TransientError("HTTP 503")]
    (condition,) = looked(world)
    assert (condition.code, condition.severity) == (Code.WATCHER_SILENT, Severity.BLOCKER)
