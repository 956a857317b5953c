"""The check, the plan, the precheck and the admission are asked the same question."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from tests.builders import NOW, leased, make_cloud, make_node, make_pair, make_plan, make_server
from tests.upgrade_manager.feasibility.test_spare import small_clouds

from escalator.model.campaign import LedgerView, UpgradeMode
from escalator.model.cloud import CloudSnapshot
from escalator.model.decisions import Admission
from escalator.model.verdict import Code, Severity
from escalator.plans.plan import make_plan as make_plan_document
from escalator.simulator.engine import simulate
from escalator.simulator.options import SimulationOptions
from escalator.upgrade_manager.conditions.leaving_out import find_blocked_hosts
from escalator.upgrade_manager.conditions.question import ask
from escalator.upgrade_manager.conditions.upgrade import check_upgrade, plan_of_check
from escalator.upgrade_manager.drain.prechecks import PASSING, check_servers
from escalator.upgrade_manager.schedule.admission import decide_admissions
from escalator.upgrade_manager.state.targets import mark_targets


@given(small_clouds())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_what_a_simulated_campaign_carries_out_a_check_calls_feasible(snapshot: CloudSnapshot) -> None:
    marked = mark_targets(snapshot)
    held = simulate(marked, SimulationOptions(max_parallel=1))["result"]["held"]
    report = check_upgrade(ask(plan_of_check(marked, [n.host for n in marked.nodes]), marked))
    assert report.met or held
    assert (report.spare is None) == report.met


ASKED = make_plan("a", "b", "c")


def blocked_by_check(snapshot: CloudSnapshot) -> dict[str, set[Code]]:
    """Return what the check says is in the way of each node."""
    question = ask(ASKED, snapshot)
    found: dict[str, set[Code]] = {}
    for condition in check_upgrade(question).conditions:
        for host in find_blocked_hosts(condition, question) if condition.blocks else ():
            found.setdefault(host, set()).add(condition.code)
    return found


def held_by_plan(snapshot: CloudSnapshot) -> dict[str, str]:
    marked = mark_targets(snapshot, hosts=ASKED.hosts)
    options = SimulationOptions(max_parallel=1, mode=UpgradeMode.SMOOTH)
    return {
        held["host"]: held["code"]
        for held in make_plan_document(marked, options, bundle=None).document["held"]
    }


def blocked_by_precheck(snapshot: CloudSnapshot) -> dict[str, set[Code]]:
    """Return what the precheck of each node would hold it for, when it has waited for what may pass."""
    found: dict[str, set[Code]] = {}
    for host in ASKED.hosts:
        for verdict in check_servers(snapshot.servers_on(host), host=host):
            if verdict.blocks and verdict.code not in PASSING:
                found.setdefault(host, set()).add(verdict.code)
    return found


STATES = [
    *("active", "paused", "stopped", "building", "shelved", "suspended", "rescued", "error", "resized"),
    *("soft-delete", "shelved_offloaded", "of-a-newer-nova"),
]


@pytest.mark.parametrize("task_state", [None, "image_snapshot"])
@pytest.mark.parametrize("vm_state", STATES)
def test_check_plan_and_precheck_say_the_same_of_a_server_in_every_state(
    vm_state: str, task_state: str | None
) -> None:
    of_nova = {"active": "live", "paused": "live", "stopped": "cold"}.get(vm_state, "none")
    odd = make_server("odd", "a", vm_state=vm_state, task_state=task_state, migration=of_nova)
    snapshot = make_cloud([make_node(host) for host in "abc"], [odd])
    blocked = blocked_by_check(snapshot)
    assert {host: set(map(str, codes)) for host, codes in blocked.items()} == {
        host: {code} for host, code in held_by_plan(snapshot).items()
    }
    assert blocked_by_precheck(snapshot) == blocked


@pytest.mark.parametrize("state", ["active", "stopped"])
def test_a_server_that_must_not_be_moved_keeps_its_node_in_whoever_is_asked(state: str) -> None:
    power = "running" if state == "active" else "shutdown"
    pinned = make_server("pinned", "a", vm_state=state, power_state=power, migration="none")
    snapshot = make_cloud([make_node(host) for host in "abc"], [pinned])
    assert blocked_by_check(snapshot) == blocked_by_precheck(snapshot) == {"a": {Code.SERVER_PINNED}}
    assert held_by_plan(snapshot) == {"a": Code.SERVER_PINNED}


def test_check_plan_and_admission_say_the_same_of_a_lease_that_leaves_no_place() -> None:
    dead = make_plan("a", campaign="upgrade__lab__gone", run_id="gone", max_parallel=1)
    nodes = [leased(make_node("a"), dead), make_node("b"), make_node("c")]
    snapshot = make_cloud(nodes, [make_server("s", "b")])
    decisions = decide_admissions(snapshot, ASKED, LedgerView(), NOW)
    assert {d.admission for d in decisions.values()} == {Admission.WAIT}
    assert held_by_plan(snapshot) == {host: decision.code for host, decision in decisions.items()}
    document = make_plan_document(
        mark_targets(snapshot), SimulationOptions(max_parallel=1), bundle=None
    ).document
    assert (document["nodes"], document["feasible"]) == ([], True)
    reasons = {held["host"]: held["reason"] for held in document["held"]}
    assert reasons == {host: decision.message for host, decision in decisions.items()}
    report = check_upgrade(ask(ASKED, snapshot))
    assert report.met
    said = {c.code: c.message for c in report.unmet if c.severity is Severity.WARNING}
    assert set(said) == {Code.LEASED_BY_OTHERS, Code.PARALLEL_LIMIT}
    assert decisions["b"].message in said[Code.PARALLEL_LIMIT]


def test_a_place_beside_the_lease_of_another_campaign_is_used_by_plan_and_admission() -> None:
    other = make_plan("a", campaign="other", run_id="r", max_parallel=2)
    snapshot = make_cloud([leased(make_node("a"), other), make_node("b"), make_node("c")])
    asked = make_plan("a", "b", "c", max_parallel=2)
    decisions = decide_admissions(snapshot, asked, LedgerView(), NOW)
    assert [host for host, d in decisions.items() if d.admission is Admission.ADMIT] == ["b"]
    document = make_plan_document(
        mark_targets(snapshot), SimulationOptions(max_parallel=2), bundle=None
    ).document
    assert [(node["host"], node["wave"]) for node in document["nodes"]] == [("b", 1), ("c", 2)]


@pytest.mark.parametrize("stopped", [False, True])
def test_a_group_that_waits_for_another_campaign_alone_makes_no_plan_infeasible(*, stopped: bool) -> None:
    """With more places than that campaign takes, its members are what keeps the others in."""
    other = make_plan("a", campaign="other", run_id="r", max_parallel=2)
    group, (away, here) = make_pair("db", "a", "b")
    if stopped:
        away = replace(away, vm_state="stopped", power_state="shutdown")
    nodes = [leased(make_node("a"), other), *map(make_node, "bc")]
    snapshot = mark_targets(make_cloud(nodes, [away, here], ha_groups=(group,)), hosts=["b"])
    report = check_upgrade(ask(make_plan("b", max_parallel=2), snapshot))
    plan = make_plan_document(snapshot, SimulationOptions(max_parallel=2), bundle=None).document
    assert [held["code"] for held in plan["held"]] == [Code.HA_GROUP]
    assert report.met is plan["feasible"] is not stopped
