"""The first node is the canary node: a person says that the others may go, and each soaks before the next.

A canary server comes to each node by live migration and goes back, before its tenants do.
"""

from __future__ import annotations

import time
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from escalator.airflow_client.records import DagRun, RequiredAction
from escalator.model.approval import Approval, GoOnWord
from tests.campaigns.harness import NEW, Harness, OutSampler, state_of

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.proof, pytest.mark.timeout(2400)]
HOSTS = ("node-01", "node-02", "node-03")
SOAK_SECONDS = 30
THINKS_SECONDS = 15.0


def wait_for_question(harness: Harness, run: DagRun) -> RequiredAction:
    """Wait until a person is asked."""
    deadline = time.monotonic() + 900
    while not (found := harness.client.list_required_actions(run.dag_id, run.run_id)):
        assert time.monotonic() < deadline, harness.states(run)
        time.sleep(1.0)
    return found[0]


@pytest.fixture(scope="module")
def campaign(harness: Harness) -> dict[str, Any]:
    before = harness.fresh(6)
    run = harness.trigger(
        hosts=list(HOSTS), approval=Approval.CANARY, soak_seconds=SOAK_SECONDS, canary_move_seconds=300
    )
    question = wait_for_question(harness, run)
    first = question.task_id.partition(".")[0]
    with OutSampler(harness.world.cloud()).watching() as meanwhile:
        time.sleep(THINKS_SECONDS)
        waiting = harness.states(run)
        harness.client.respond(question, [GoOnWord.GO_ON])
    state = harness.wait(run)
    return {
        "before": before,
        "run": run,
        "first": first,
        "question": question,
        "out_meanwhile": meanwhile.most,
        "waiting": waiting,
        "state": state,
        "report": harness.report(run),
        "after": harness.servers(),
    }


def test_a_person_is_asked_once_after_the_first_node(campaign: dict[str, Any]) -> None:
    first, waiting = campaign["first"], campaign["waiting"]
    assert campaign["question"].task_id == f"{first}.release"
    others = set(HOSTS) - {first}
    assert {host for host in HOSTS if waiting[f"{host}.precheck"] == "success"} == {first}
    assert {waiting[f"{host}.admit"] for host in others} <= {"deferred", "scheduled", "queued", "running"}
    assert first in campaign["question"].subject


def test_no_node_is_out_while_the_person_thinks(campaign: dict[str, Any]) -> None:
    assert campaign["out_meanwhile"] == 0


def test_then_all_are_upgraded_and_the_report_has_who_said_so(
    harness: Harness, campaign: dict[str, Any]
) -> None:
    assert campaign["state"] == "success", harness.states(campaign["run"])
    assert {host: harness.running(host) for host in HOSTS} == dict.fromkeys(HOSTS, NEW)
    said = [f["message"] for f in campaign["report"]["findings"] if f["code"].startswith("approval")]
    assert len(said) == 1, said
    assert "goes on" in said[0]
    assert "admin" in said[0]


def test_each_node_soaked_before_the_next_one_went(campaign: dict[str, Any]) -> None:
    times = sorted(
        (datetime.fromisoformat(node["leased"]), datetime.fromisoformat(node["released"]))
        for node in campaign["report"]["nodes"]
    )
    assert len(times) == len(HOSTS)
    for (_, released), (leased, _) in pairwise(times):
        assert (leased - released).total_seconds() >= SOAK_SECONDS


def test_a_canary_came_to_each_node_and_went_back_and_nothing_is_left_of_it(
    harness: Harness, campaign: dict[str, Any]
) -> None:
    for host in HOSTS:
        said = harness.log(campaign["run"], f"{host}.verify")
        assert f"{host}: a canary came from" in said, said
    assert {n: state_of(s) for n, s in campaign["after"].items()} == {
        n: state_of(s) for n, s in campaign["before"].items()
    }


def test_all_nodes_are_in_service(harness: Harness, campaign: dict[str, Any]) -> None:
    assert campaign["state"]
    assert {s.disabled_reason for s in harness.services().values()} == {None}
