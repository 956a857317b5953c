from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_records import START
from tests.steps.worlds import EMPTY_CLOUD, NEW, NODE, OLD, World

from escalator.ledger.records import Document
from escalator.model.campaign import NodeState, Step
from escalator.model.check_report import CheckReport, Condition, check_to_document
from escalator.model.decisions import Admission
from escalator.model.errors import EscalatorError, NodeFaultError
from escalator.model.lease import LeaseMark
from escalator.model.stops import RUNNING, ServerStop
from escalator.model.verdict import Code, Severity, Subject, SubjectType
from escalator.steps.campaign.conclude import conclude, make_folder_name


@pytest.fixture(autouse=True)
def no_guest_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ESCALATOR_GUEST_EVENTS", raising=False)


def whole_life(world: World, host: str) -> None:
    world.run_up_to(Step.RELEASE, host)


def test_a_campaign_that_is_complete_has_no_fault(world: World, tmp_path: Path) -> None:
    world.boot("web")
    for host in world.hosts:
        whole_life(world, host)
    conclusion = conclude(world.context(), tmp_path)
    assert conclusion.faults == ()
    report = json.loads(conclusion.paths.json.read_text())
    assert report == world.recorded.document(Document.REPORT)
    assert world.recorded.document(Document.SNAPSHOT_AFTER)["cloud"] == "lab"
    assert conclusion.paths.json.parent == tmp_path / make_folder_name(world.plan.campaign, world.plan.run_id)


def test_a_server_that_is_still_down_is_a_fault_though_its_node_is_in_service(
    world: World, tmp_path: Path
) -> None:
    for host in world.hosts:
        whole_life(world, host)
    now = world.clock.now
    stop = ServerStop(server_id="s1", server_name="pin", power_state=RUNNING, noted_at=now, asked_at=now)
    up = replace(stop, server_id="s2", server_name="up", ended_at=now)
    world.recorded.remember(NODE, stops=(stop, up))
    (fault,) = conclude(world.context(), tmp_path).faults
    assert fault == f"{NODE}: pin was stopped for its upgrade and does not run again: clear {NODE}.release"


def test_every_node_that_is_not_as_it_should_be_is_named(world: World, tmp_path: Path) -> None:
    world.nodes[NODE].activate_faults = [NodeFaultError("disk full")]
    world.run_up_to(Step.UPGRADE)
    world.run(Step.RELEASE)
    world.cloud.person_disables("node-02")
    world.admit("node-02")
    faults = conclude(world.context(), tmp_path).faults
    assert len(faults) == 2
    assert f"{NODE} is failed" in faults[0]
    assert "disk full" in faults[0]
    assert "node-03 is waiting" in faults[1]


def to_version(world: World, tmp_path: Path) -> str | None:
    report = json.loads(conclude(world.context(), tmp_path).paths.json.read_text())
    (row,) = [node for node in report["nodes"] if node["host"] == NODE]
    found: str | None = row["to_version"]
    return found


def test_a_failed_node_is_shown_with_what_it_runs_now(world: World, tmp_path: Path) -> None:
    world.nodes[NODE].activate_faults = [NodeFaultError("the service does not come up")]
    world.run_up_to(Step.UPGRADE)
    world.run(Step.RELEASE)
    world.nodes[NODE].running = NEW
    assert to_version(world, tmp_path) == NEW


def test_what_nobody_can_read_any_more_is_not_said(world: World, tmp_path: Path) -> None:
    world.nodes[NODE].activate_faults = [NodeFaultError("disk full")]
    world.run_up_to(Step.UPGRADE)
    world.run(Step.RELEASE)
    world.nodes[NODE].unreachable = [NodeFaultError("no SSH")]
    assert to_version(world, tmp_path) is None


def test_a_node_that_is_still_out_with_our_lease_is_a_fault(world: World, tmp_path: Path) -> None:
    for host in world.hosts:
        whole_life(world, host)
    world.take(NODE)
    (fault,) = conclude(world.context(), tmp_path).faults
    assert f"clear {NODE}.release" in fault


def test_a_node_whose_admission_was_ended_after_it_took_the_lease_is_named_with_what_to_do(
    world: World, tmp_path: Path
) -> None:
    for host in world.hosts[1:]:
        whole_life(world, host)
    world.take(NODE)
    (fault,) = conclude(world.context(), tmp_path).faults
    assert f"{NODE} is waiting" in fault
    assert f"clear {NODE}.admit with downstream" in fault


def test_a_dry_run_has_no_fault(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world(dry_run=True)
    assert world.admit().message
    assert conclude(world.context(), tmp_path).faults == ()


def test_a_second_run_writes_the_report_anew(world: World, tmp_path: Path) -> None:
    first = conclude(world.context(), tmp_path)
    whole_life(world, NODE)
    second = conclude(world.context(), tmp_path)
    assert first.paths == second.paths
    assert f"{NODE} is waiting: " in str(first.faults)
    assert NODE not in str(second.faults)
    assert OLD in second.paths.json.read_text()


def test_a_report_is_written_although_the_snapshot_before_cannot_be_read(
    world: World, tmp_path: Path
) -> None:
    whole_life(world, NODE)
    of_tomorrow = {**EMPTY_CLOUD, "schema": "escalator.snapshot/2"}
    world.recorded.set_document(Document.SNAPSHOT_BEFORE, of_tomorrow)
    report = json.loads(conclude(world.context(), tmp_path).paths.json.read_text())
    assert "snapshot_missing" in {finding["code"] for finding in report["findings"]}
    assert report["snapshot_before"] == of_tomorrow
    assert report["snapshot_after"]["cloud"] == "lab"


def test_the_snapshots_of_the_release_before_are_compared(world: World, tmp_path: Path) -> None:
    """Keys that a snapshot has since then are not in it."""
    server = {"id": "web", "name": "web-1", "host": NODE, "vm_state": "active"}
    nodes = [{"host": host, "domain": "d"} for host in world.hosts]
    before = {**EMPTY_CLOUD, "nodes": nodes, "servers": [server]}
    world.recorded.set_document(Document.SNAPSHOT_BEFORE, before)
    report = json.loads(conclude(world.context(), tmp_path).paths.json.read_text())
    found = [f for f in report["findings"] if f["code"] == "server_vanished"]
    assert [f["subject"] for f in found] == [{"type": "server", "id": "web", "name": "web-1"}]


def test_the_findings_of_the_check_name_their_servers(world: World, tmp_path: Path) -> None:
    subject = Subject(type=SubjectType.SERVER, id="3f", name="web-9")
    condition = Condition(
        code=Code.SERVER_LOCKED, met=False, severity=Severity.WARNING, subject=subject, message="is locked"
    )
    world.recorded.set_document(Document.CHECK, check_to_document(CheckReport(conditions=(condition,))))
    report = json.loads(conclude(world.context(), tmp_path).paths.json.read_text())
    (found,) = [f for f in report["findings"] if f["code"] == "server_locked"]
    assert found["subject"] == {"type": "server", "id": "3f", "name": "web-9"}


def test_a_folder_that_cannot_be_written_says_what_to_set(world: World, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EscalatorError, match="ESCALATOR_REPORT_DIR"):
        conclude(world.context(), tmp_path / "file")
    assert world.progress().state is NodeState.WAITING


@pytest.mark.parametrize(
    ("run_id", "folder"),
    [
        ("manual__2026-11-22T08:00:00+00:00", "c/manual__2026-11-22T08-00-00-00-00"),
        ("../../etc/passwd", "c/..-..-etc-passwd"),
        ("a/b c", "c/a-b-c"),
    ],
)
def test_the_folder_is_safe_as_a_path(run_id: str, folder: str) -> None:
    assert make_folder_name("c", run_id) == folder


def windowed(make_world: MakeWorld) -> World:
    """Return a world whose window closes after the first node."""
    world = make_world()
    world.plan = replace(
        world.plan, run_id=f"{world.plan.run_id}-w", window_end=START + timedelta(minutes=30)
    )
    world.open(world.plan)
    whole_life(world, NODE)
    world.clock.sleep(1800)
    for host in world.hosts[1:]:
        assert world.admit(host).admission is Admission.STOP
    return world


def test_what_only_the_window_kept_waiting_is_left_for_the_next_and_no_fault(
    make_world: MakeWorld, tmp_path: Path
) -> None:
    world = windowed(make_world)
    conclusion = conclude(world.context(), tmp_path)
    assert (conclusion.faults, conclusion.left) == ((), ("node-02", "node-03"))
    report = json.loads(conclusion.paths.json.read_text())
    assert report["outcome"] == "window-closed"


def test_an_admit_that_was_killed_and_nothing_follows_on_is_closed(
    make_world: MakeWorld, tmp_path: Path
) -> None:
    world = make_world()
    world.begin(Step.ADMIT)
    conclusion = conclude(world.context(), tmp_path)
    (admit,) = world.recorded.steps()
    assert (admit.code, admit.known_end) == (Code.CUT_OFF, None)
    report = json.loads(conclusion.paths.json.read_text())
    (step,) = next(node for node in report["nodes"] if node["host"] == NODE)["steps"]
    assert (step["unfinished_attempts"], step["ended"], step["code"]) == (1, None, "cut_off")
    assert "found by conclude" in step["message"]


def test_the_run_of_the_next_window_goes_on_where_the_last_stopped(make_world: MakeWorld) -> None:
    world = windowed(make_world)
    world.plan = replace(world.plan, run_id=f"{world.plan.run_id}-2", window_end=None)
    world.open(world.plan)
    world.recorded.remember(NODE, version=NEW)
    decisions = {host: world.admit(host) for host in world.hosts[:2]}
    assert (decisions[NODE].admission, decisions[NODE].code) == (Admission.SKIP, Code.ALREADY_UPGRADED)
    assert decisions["node-02"].admission is Admission.ADMIT


def test_a_node_that_failed_before_the_window_closed_is_a_fault(
    make_world: MakeWorld, tmp_path: Path
) -> None:
    world = windowed(make_world)
    world.take("node-02", mark=LeaseMark.FAILED)
    conclusion = conclude(world.context(), tmp_path)
    assert conclusion.left == ("node-03",)
    assert "node-02" in str(conclusion.faults)


def drift(world: World, tmp_path: Path) -> list[str]:
    found = json.loads(conclude(world.context(), tmp_path).paths.json.read_text())["findings"]
    return [finding["message"] for finding in found if finding["code"] == Code.VERSIONS_DIFFER]


def test_the_drift_that_is_left_is_found_and_the_one_that_was_is_not(world: World, tmp_path: Path) -> None:
    before = Condition(
        code=Code.VERSIONS_DIFFER,
        met=False,
        severity=Severity.WARNING,
        subject=Subject(type=SubjectType.DOMAIN, id="d"),
        message="they differed",
        remedy="see",
    )
    world.recorded.set_document(Document.CHECK, check_to_document(CheckReport(conditions=(before,))))
    for host in world.hosts:
        world.nodes[host].versions = "program.qemu=QEMU emulator version 10.0.2\n"
    first, second, last = world.hosts
    whole_life(world, first)
    assert drift(world, tmp_path) == ["they differed"]
    world.nodes[second].versions = "program.qemu=QEMU emulator version 10.0.3\n"
    for host in (second, last):
        whole_life(world, host)
    assert drift(world, tmp_path) == [f"its nodes differ in qemu: 10.0.2 on 2; 10.0.3 on {second}"]
