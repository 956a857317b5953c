from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.builders import make_plan
from tests.steps.conftest import MakeWorld
from tests.steps.fake_records import START
from tests.steps.worlds import BUNDLE_DOCUMENT, NEW, NODE, OLD, World

from escalator.ledger.records import Document
from escalator.model import procedure
from escalator.model.campaign import CampaignPlan, OnBlocked, Step, UpgradeMode
from escalator.model.check_report import CheckReport, check_to_document
from escalator.model.decisions import Admission
from escalator.model.errors import InvalidRequestError, NodeFaultError, PlanInfeasibleError, TransientError
from escalator.model.feature import Feature
from escalator.model.interruption import Gap, ProbeMethod
from escalator.model.known_lease import KnownLease, LeaseOwner
from escalator.model.procedure import UPGRADE
from escalator.model.run_life import RunLife
from escalator.model.verdict import Code, Severity
from escalator.steps.campaign.check_conditions import check, judge
from escalator.steps.campaign.conclude import conclude


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world whose campaign is still to be opened: its plan names the request only."""
    world = make_world()
    world.plan = replace(world.plan, run_id=f"{world.plan.run_id}-check", hosts=())
    return world


def checked(world: World) -> tuple[CampaignPlan, CheckReport]:
    return check(world.context(), BUNDLE_DOCUMENT, known_hosts=world.hosts)


def test_a_good_request_opens_the_campaign_with_its_plan_and_check(world: World) -> None:
    plan, report = checked(world)
    assert report.met
    assert sorted(plan.hosts) == sorted(world.hosts)
    assert world.recorded.plan() == plan
    assert world.recorded.document(Document.CHECK)["met"] is True
    assert len(world.recorded.document(Document.PLAN)["sha256"]) == 64
    assert world.recorded.versions_before() == dict.fromkeys(world.hosts, OLD)
    assert world.cloud.writes == []


def test_a_request_that_names_no_host_is_recorded_as_it_was_asked(world: World) -> None:
    plan, _ = checked(world)
    assert world.context().plan.request.hosts == ()
    assert plan.request == world.context().plan.request


def test_the_recorded_order_is_the_one_that_the_plan_shows(world: World) -> None:
    world.cloud.person_disables("node-01")
    plan, _ = checked(world)
    shown = [node["host"] for node in world.recorded.document(Document.PLAN)["nodes"]]
    assert list(plan.hosts) == [*shown, "node-01"]


def test_the_plan_is_in_the_log_with_its_hash_and_reasons(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "escalator.steps.campaign.check_conditions"):
        checked(world)
    sha256 = world.recorded.document(Document.PLAN)["sha256"]
    assert f"plan {sha256}" in caplog.text
    assert "because:" in caplog.text


def test_a_second_run_keeps_the_plan_that_the_campaign_began_with(world: World) -> None:
    plan, _ = checked(world)
    first = world.recorded.document(Document.PLAN)
    world.boot("late", "node-03")
    world.cloud.person_disables("node-02")
    again, report = checked(world)
    assert again == plan
    assert world.recorded.document(Document.PLAN) == first
    assert world.recorded.document(Document.CHECK) == check_to_document(report)


def test_a_campaign_keeps_the_procedure_it_was_asked_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(UPGRADE, name="rehearsal")
    monkeypatch.setattr(procedure, "PROCEDURES", {other.name: other})
    world.plan = replace(world.plan, procedure=other.name)
    plan, _ = checked(world)
    assert plan.procedure == "rehearsal"
    assert world.context().run.plan() == plan


def test_a_procedure_that_is_not_known_is_refused_before_anything_is_written(world: World) -> None:
    world.plan = replace(world.plan, procedure="rehearsal")
    with pytest.raises(InvalidRequestError, match="no procedure 'rehearsal'"):
        checked(world)
    assert world.context().run.plan() is None


def test_the_end_of_the_window_is_kept(world: World) -> None:
    world.plan = replace(world.plan, window_end=START + timedelta(hours=4))
    plan, _ = checked(world)
    assert plan.window_end == START + timedelta(hours=4)


def test_what_is_in_the_way_is_told_at_once_and_nothing_is_recorded(world: World) -> None:
    world.nodes[NODE].unreachable = [TransientError("no route to host")]
    world.nodes["node-02"].unreachable = [TransientError("host key changed")]
    with pytest.raises(PlanInfeasibleError, match="the campaign cannot start") as refused:
        checked(world)
    for words in ("no route to host", "host key changed"):
        assert words in str(refused.value)
    assert {v.code for v in refused.value.blockers} == {Code.NODE_UNREACHABLE}
    assert world.recorded.plan() is None
    assert world.cloud.writes == []


def test_sudo_that_refuses_is_named_as_that(world: World) -> None:
    world.nodes[NODE].unreachable = [NodeFaultError("sudo: no password", code=Code.NODE_NO_PRIVILEGE)]
    with pytest.raises(PlanInfeasibleError, match="sudo: no password") as refused:
        checked(world)
    assert {v.code for v in refused.value.blockers} == {Code.NODE_NO_PRIVILEGE}


def test_a_blocked_node_is_left_out_when_that_was_asked_and_the_others_go(
    make_world: MakeWorld, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = make_world(on_blocked=OnBlocked.SKIP)
    world.plan = replace(world.plan, run_id=f"{world.plan.run_id}-check", hosts=())
    world.boot("odd", "node-02", vm_state="error")
    with caplog.at_level(logging.INFO, "escalator"):
        plan, report = checked(world)
    assert report.met
    assert set(plan.hosts) == set(world.hosts) - {"node-02"}
    assert [node.host for node in plan.left_out] == ["node-02"]
    shown = world.recorded.document(Document.PLAN)
    assert [node["host"] for node in shown["left_out"]] == ["node-02"]
    assert "node-02" not in {node["host"] for node in shown["nodes"]}
    assert "skipped node-02: left out of the campaign: server odd" in caplog.text
    world.plan = plan
    decision = world.admit("node-02")
    assert (decision.admission, decision.code) == (Admission.SKIP, Code.SERVER_ERROR)
    assert world.cloud.writes == []
    written = conclude(world.context(), tmp_path).paths.markdown.read_text()
    assert "node-02 left out of the campaign" in written


def test_a_node_that_does_not_answer_is_left_out_when_that_was_asked(make_world: MakeWorld) -> None:
    world = make_world(on_blocked=OnBlocked.SKIP)
    world.plan = replace(world.plan, run_id=f"{world.plan.run_id}-check", hosts=())
    world.nodes["node-03"].unreachable = [TransientError("no route to host")]
    plan, _ = checked(world)
    assert [(node.host, node.code) for node in plan.left_out] == [("node-03", Code.NODE_UNREACHABLE)]


def test_a_version_that_no_source_has_is_refused_at_the_start_on_every_nodes_word(world: World) -> None:
    for node in world.nodes.values():
        node.no_source = "the index has no such version"
    with pytest.raises(PlanInfeasibleError, match="the index has no such version") as refused:
        checked(world)
    assert [(v.code, v.subject.id) for v in refused.value.blockers] == [
        (Code.STAGE_FAILED, host) for host in sorted(world.hosts)
    ]
    assert world.recorded.plan() is None
    assert world.cloud.writes == []


def test_with_every_node_blocked_nothing_starts_whatever_was_asked(make_world: MakeWorld) -> None:
    world = make_world(on_blocked=OnBlocked.SKIP)
    world.plan = replace(world.plan, run_id=f"{world.plan.run_id}-check", hosts=())
    for host in world.hosts:
        world.boot(f"odd-{host}", host, vm_state="error")
    with pytest.raises(PlanInfeasibleError, match="the campaign cannot start") as refused:
        checked(world)
    assert {v.subject.name for v in refused.value.blockers} == {f"odd-{host}" for host in world.hosts}
    assert world.recorded.plan() is None


def test_a_second_run_keeps_the_versions_that_the_first_one_found(world: World) -> None:
    checked(world)
    world.nodes[NODE].running = NEW
    checked(world)
    assert world.facts().from_version == OLD
    assert world.facts().version == NEW


def test_durations_are_learnt_from_what_ran_before(world: World, make_world: MakeWorld) -> None:
    bundle = f"learnt-{world.plan.run_id}"
    before = make_world(bundle=bundle)
    for number in range(5):
        attempt = before.begin(Step.UPGRADE).attempt
        before.clock.sleep(7)
        before.recorded.finish_step(attempt, result="ok", now=before.clock(), message=str(number))
    world.plan = replace(world.plan, request=replace(world.plan.request, bundle=bundle))
    plan, _ = checked(world)
    assert plan.expected.of(Step.UPGRADE).p50 == pytest.approx(7, abs=1)
    assert plan.expected.samples == 1


def test_a_campaign_expected_to_take_too_long_warns_in_the_log_and_the_report(
    world: World, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    world.bundle = replace(world.bundle, expected_upgrade_seconds=3600)
    never_run = replace(world.plan.request, bundle="never-run")
    world.plan = replace(world.plan, request=never_run)
    with caplog.at_level(logging.WARNING, "escalator.steps.campaign.check_conditions"):
        plan, report = checked(world)
    assert report.met
    assert "more than 2 h" in caplog.text
    world.plan = plan
    report_file = conclude(world.context(), tmp_path).paths.markdown.read_text()
    assert "more than 2 h" in report_file
    assert "cheap to empty" in report_file


def test_a_judgement_writes_nothing_anywhere(world: World) -> None:
    judged = judge(world.context(), world.hosts)
    assert judged.report.met
    assert world.recorded.plan() is None
    assert world.cloud.writes == []


def test_only_a_non_smooth_campaign_starts_that_has_to_stop_a_server(make_world: MakeWorld) -> None:
    for mode in UpgradeMode:
        world = make_world(mode=mode)
        world.plan = replace(world.plan, run_id=f"{world.plan.run_id}-check", hosts=())
        world.pinned = frozenset({"sriov"})
        world.boot("sriov")
        world.boot("gpu", features=frozenset({Feature.PCI}))
        if mode is UpgradeMode.SMOOTH:
            with pytest.raises(PlanInfeasibleError, match=r"server sriov .*must not be moved"):
                checked(world)
            assert world.recorded.plan() is None
        else:
            checked(world)
            report = judge(world.context(), world.hosts).report
            said = [c.message for c in report.conditions if c.subject.name in {"sriov", "gpu"}]
            assert [words.endswith("nobody manages it: tell its owner") for words in said] == [True, True]


def test_a_lease_that_nobody_ends_is_warned_of(world: World) -> None:
    dead = make_plan(NODE, campaign="upgrade__gone", run_id="gone").lease(NODE)
    world.cloud.person_disables(NODE, dead.render())
    orphan = KnownLease(
        host=NODE,
        reason=dead.render(),
        lease=dead,
        owner=LeaseOwner.OURS,
        run_id="gone",
        life=RunLife.DELETED,
    )
    context = replace(world.context(), find_leases=lambda _snapshot: (orphan,))
    report = judge(context, world.hosts).report
    (found,) = (c for c in report.conditions if c.code is Code.LEASE_ORPHANED)
    assert (found.subject.id, found.severity, report.met) == (NODE, Severity.WARNING, True)
    assert "its run gone is deleted" in found.message
    assert not any(
        c.code is Code.LEASE_ORPHANED for c in judge(world.context(), world.hosts).report.conditions
    )


@pytest.mark.parametrize(("bears", "warned"), [(0.5, True), (1.0, False), (None, False)])
def test_a_service_that_was_interrupted_for_longer_than_it_bears_is_warned_of(
    world: World,
    bears: float | None,
    warned: bool,  # noqa: FBT001
) -> None:
    world.boot("a")
    world.boot("b", "node-02")
    world.pairs = (("a", "b"),)
    world.bears = {} if bears is None else {"b": bears}
    gap = Gap(
        cloud="lab",
        campaign=f"earlier-{bears}",
        run_id=world.plan.run_id,
        host=NODE,
        group="ha-a",
        address="10.0.0.5",
        method=ProbeMethod.ICMP,
        started_at=world.clock() - timedelta(days=30),
        seconds=0.9,
    )
    world.ledger.gaps().record(gap)
    _, report = checked(world)
    found = [c for c in report.unmet if c.code is Code.INTERRUPTION_SWITCH]
    assert [(c.subject.id, c.severity) for c in found] == ([("ha-a", Severity.WARNING)] if warned else [])
    assert all("away for 0.9 s at once within a year, and it bears 0.5 s" in c.message for c in found)


def test_what_nova_allows_busy_servers_is_said_once_for_nodes_that_are_alike(world: World) -> None:
    for host in world.hosts:
        world.nodes[host].nova_conf = "file=/etc/nova/nova.conf\n"
        world.boot(f"web-{host}", host=host)
    _, report = checked(world)
    warning, note = (c for c in report.conditions if c.code is Code.MIGRATION_SETTINGS)
    assert (warning.severity, note.severity) == (Severity.WARNING, Severity.INFO)
    assert all(host in warning.message for host in world.hosts)


def test_what_the_nodes_run_is_in_plan_and_snapshot_and_their_drift_is_a_warning(world: World) -> None:
    for host, qemu in zip(world.hosts, ("7.2.15", "7.2.15", "7.2.9"), strict=True):
        world.nodes[host].versions = f"program.qemu=QEMU emulator version {qemu}\n"
    _, report = checked(world)
    (drift,) = (c for c in report.unmet if c.code is Code.VERSIONS_DIFFER)
    assert drift.message == f"its nodes differ in qemu: 7.2.15 on 2; 7.2.9 on {world.hosts[-1]}"
    snapshot = world.recorded.document(Document.SNAPSHOT_BEFORE)
    assert [node["versions"]["qemu"] for node in snapshot["nodes"]] == ["7.2.15", "7.2.15", "7.2.9"]
    (step,) = world.recorded.document(Document.PLAN)["versions"]
    assert (step["component"], step["to"], [one["version"] for one in step["from"]]) == (
        "nova-compute",
        NEW,
        [OLD],
    )
