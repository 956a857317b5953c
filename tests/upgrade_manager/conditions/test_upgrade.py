from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from tests.builders import (
    BUNDLE,
    NOW,
    make_cloud,
    make_node,
    make_plan,
    make_server,
    remembering,
)
from tests.upgrade_manager.clouds import clouds, few
from tests.upgrade_manager.conditions.findings import brief, find_unmet

from escalator.model.campaign import CampaignPlan
from escalator.model.check_report import check_to_document
from escalator.model.cloud import (
    CloudSnapshot,
    ServiceStatus,
)
from escalator.model.verdict import Code, Severity
from escalator.upgrade_manager.conditions.question import (
    ask,
)
from escalator.upgrade_manager.conditions.rollback import (
    check_rollback,
)
from escalator.upgrade_manager.conditions.upgrade import check_upgrade, plan_of_check
from escalator.upgrade_manager.schedule.admission import decide_admissions
from escalator.upgrade_manager.state.targets import mark_targets


def test_a_healthy_cloud_has_no_findings() -> None:
    snapshot = make_cloud([make_node("a"), make_node("b")], [make_server("s", "a")])
    assert find_unmet(snapshot, reachable={"a": None, "b": None}) == ()


def test_a_target_that_cannot_be_emptied_blocks_with_numbers() -> None:
    snapshot = make_cloud(
        [make_node("a"), make_node("b", memory=1024)], [make_server("big", "a", memory=4096)]
    )
    verdict, giant, spare = find_unmet(snapshot)
    assert brief((verdict, giant, spare)) == [
        ("a", Code.CAPACITY, Severity.BLOCKER),
        ("id-big", Code.SERVER_TOO_LARGE, Severity.BLOCKER),
        ("cell1/az1/general", Code.SPARE_NODES, Severity.INFO),
    ]
    assert "1 of 1 servers would have no place (big: " in verdict.message
    assert "b, lacks 3072 MEMORY_MB" in verdict.message


@given(clouds())
@few
def test_findings_are_total_and_explain_what_is_held(snapshot: CloudSnapshot) -> None:
    plan = make_plan(*(n.host for n in snapshot.nodes), max_parallel=2)
    verdicts = find_unmet(snapshot, plan)
    assert all(v.message and v.remedy for v in verdicts)
    named = {v.subject.id for v in verdicts}
    held = {h for h, d in decide_all(snapshot, plan).items() if d in {"node_down", "leased_by_others"}}
    assert held <= named


def decide_all(snapshot: CloudSnapshot, plan: CampaignPlan) -> dict[str, str]:
    decisions = decide_admissions(snapshot, plan, remembering(snapshot, plan), NOW)
    return {host: decision.code.value for host, decision in decisions.items()}


@given(clouds())
@few
def test_a_check_is_total_repeatable_and_leaves_the_snapshot_as_it_is(snapshot: CloudSnapshot) -> None:
    before = repr(snapshot)
    plan = plan_of_check(snapshot, [n.host for n in snapshot.nodes], bundle=BUNDLE, max_parallel=2)
    for check in (check_upgrade, check_rollback):
        first, second = (check(ask(plan, snapshot, bundle=BUNDLE)) for _ in range(2))
        assert first == second
        assert all(c.message and (c.met or c.remedy) for c in first.conditions)
        assert json.loads(json.dumps(check_to_document(first)))["met"] == first.met
    assert repr(snapshot) == before


@given(clouds())
@few
def test_a_finished_cloud_is_met_with_nothing_to_do(snapshot: CloudSnapshot) -> None:
    nodes = tuple(replace(node, status=ServiceStatus.ENABLED, upgraded=True) for node in snapshot.nodes)
    finished = mark_targets(replace(snapshot, nodes=nodes))
    hosts = tuple(n.host for n in finished.nodes if n.target)
    report = check_upgrade(ask(plan_of_check(finished, hosts), finished))
    assert hosts == ()
    assert report.met
    assert (report.spare, report.expected.p90) == (None, 0.0)
    assert Code.ALREADY_UPGRADED in {c.code for c in report.conditions}
