from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.builders import DOMAIN, NOW, disabled, leased, make_cloud, make_node, make_plan, remembering
from tests.upgrade_manager.conditions.findings import brief

from escalator.model.campaign import CampaignPlan
from escalator.model.check_report import Condition
from escalator.model.cloud import CloudSnapshot
from escalator.model.decisions import Admission
from escalator.model.known_lease import KnownLease, LeaseOwner
from escalator.model.lease import LeaseMark
from escalator.model.run_life import RunLife
from escalator.model.verdict import Code, Severity
from escalator.upgrade_manager.conditions.leases import check_leases, check_orphans
from escalator.upgrade_manager.conditions.question import ask
from escalator.upgrade_manager.schedule.admission import decide_admissions

OTHER = make_plan("c", campaign="other", run_id="other-run", max_parallel=2)
DEAD = "escalator:upgrade__lab__gone:0123456789ab:0123456789abcdef max_parallel=1 upgrade to nova-33"


def look(snapshot: CloudSnapshot, *hosts: str, **asked: Any) -> tuple[CampaignPlan, list[Condition]]:
    plan = make_plan(*hosts, **asked)
    return plan, list(check_leases(ask(plan, snapshot), DOMAIN))


def test_a_lease_of_a_dead_campaign_blocks_its_domain_and_the_check_says_so() -> None:
    snapshot = make_cloud([disabled(make_node("a"), DEAD), make_node("b"), make_node("c")])
    plan, (found,) = look(snapshot, "a", "b", "c")
    assert brief([found.verdict]) == [(DOMAIN, Code.PARALLEL_LIMIT, Severity.WARNING)]
    assert found.message == (
        "b, c will not go while a is out for campaign upgrade__lab__gone (run 0123456789ab): "
        "at most 1 at once"
    )
    assert "`escalator leases`" in str(found.remedy)
    answers = decide_admissions(snapshot, plan, remembering(snapshot, plan), NOW)
    assert {host: answers[host].admission for host in "bc"} == dict.fromkeys("bc", Admission.WAIT)
    assert {answers[host].code for host in "bc"} == {Code.PARALLEL_LIMIT}


@pytest.mark.parametrize(
    ("max_parallel", "blocked"),
    [(1, True), (2, False)],
)
def test_the_check_and_the_admission_count_alike(max_parallel: int, *, blocked: bool) -> None:
    snapshot = make_cloud([make_node("a"), make_node("b"), leased(make_node("c"), OTHER)])
    plan, found = look(snapshot, "a", "b", max_parallel=max_parallel)
    answers = decide_admissions(snapshot, plan, remembering(snapshot, plan), NOW)
    assert bool(found) is blocked
    assert all(answer.code is Code.PARALLEL_LIMIT for answer in answers.values()) is blocked


def test_leases_that_do_not_count_block_nothing() -> None:
    marked = leased(make_node("c"), OTHER, LeaseMark.FAILED)
    far = leased(make_node("d", zone="az2", domain="cell1/az2/general"), OTHER)
    own = leased(make_node("e"), make_plan("a", "e"))
    snapshot = make_cloud([make_node("a"), marked, far, disabled(make_node("f")), own])
    assert look(snapshot, "a", "e")[1] == []


def test_only_the_targets_beside_the_lease_are_named() -> None:
    beside = make_node("b", domain="cell1/az1/fast", aggregates=("fast", "shared"))
    out = leased(make_node("c", domain="cell1/az1/slow", aggregates=("slow", "shared")), OTHER)
    snapshot = make_cloud([make_node("a"), beside, out])
    plan = make_plan("a", "b")
    question = ask(plan, snapshot)
    assert list(check_leases(question, DOMAIN)) == []
    (found,) = check_leases(question, "cell1/az1/fast")
    assert found.message.startswith("b will not go while c is out for campaign other")


LEASE = OTHER.lease("c")
KNOWN = KnownLease(host="c", reason=LEASE.render(), lease=LEASE, owner=LeaseOwner.OURS, run_id="other-run")


@pytest.mark.parametrize(
    ("changes", "warned"),
    [
        ({"life": RunLife.RUNNING}, False),
        ({"life": RunLife.NOT_ASKED}, False),
        ({"life": RunLife.FINISHED}, True),
        ({"life": RunLife.DELETED}, True),
        ({"life": RunLife.DELETED, "lease": LEASE.marked(LeaseMark.HELD)}, False),
        ({"owner": LeaseOwner.UNKNOWN, "run_id": None}, True),
        ({"owner": LeaseOwner.ANOTHER, "run_id": None}, False),
    ],
)
def test_a_lease_that_nobody_ends_is_warned_of(changes: dict[str, Any], *, warned: bool) -> None:
    found = list(check_orphans([replace(KNOWN, **changes)]))
    expected = [("c", Code.LEASE_ORPHANED, Severity.WARNING)] if warned else []
    assert brief([condition.verdict for condition in found]) == expected
    assert all("counts against max_parallel" in condition.message for condition in found)
