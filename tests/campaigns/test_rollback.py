"""An upgrade fails on one node; the rollback brings that node back, and those that were upgraded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from escalator.airflow_client.follow import wait_for_dag
from escalator.demo.demo_world import CLOUD
from escalator.model.naming import make_dag_id
from tests.campaigns.harness import NEW, OLD, Harness, OutSampler, state_of

pytestmark = [pytest.mark.lab, pytest.mark.stack]
HOSTS = ("node-01", "node-02", "node-03")
BACK = make_dag_id("rollback", CLOUD, "cell1/az1/general")


@pytest.fixture(scope="module")
def back(harness: Harness) -> Harness:
    """The same lab and Airflow, and the DAG of the way back."""
    wait_for_dag(harness.client, BACK, timeout_seconds=300)
    return replace(harness, dag_id=BACK)


@pytest.fixture(scope="module")
def undone(harness: Harness, back: Harness) -> dict[str, Any]:
    before = harness.fresh(6)
    upgrade = harness.trigger(hosts=list(HOSTS), max_failed_nodes=1)
    first = harness.order(upgrade)[0]
    harness.lab.node(first).fault(refuse_start_release=NEW)
    upgraded = harness.wait(upgrade)
    between = {host: (harness.running(host), harness.services()[host].status) for host in HOSTS}
    released = [host for host in harness.order(upgrade) if host != first]
    sampler = OutSampler(harness.world.cloud(), ignore=frozenset({first}))
    with sampler.watching():
        run = back.client.trigger(BACK, {"run_id": upgrade.run_id})
        state = back.wait(run)
    assert back.states(run)["check_conditions"] == "success", back.log(run, "check_conditions")
    return {
        "before": before,
        "upgrade": upgrade,
        "first": first,
        "released": released,
        "upgraded": upgraded,
        "between": between,
        "run": run,
        "state": state,
        "order": back.order(run),
        "most_out": sampler.most,
        "after": harness.servers(),
    }


def test_the_upgrade_left_one_node_out_and_two_upgraded(undone: dict[str, Any]) -> None:
    assert undone["upgraded"] == "failed"
    first = undone["first"]
    assert str(undone["between"][first][1]) == "disabled"
    assert {undone["between"][host][0] for host in HOSTS if host != first} == {NEW}


def test_every_node_is_in_service_with_what_it_had(
    back: Harness, harness: Harness, undone: dict[str, Any]
) -> None:
    assert undone["state"] == "success", back.states(undone["run"])
    assert {host: harness.running(host) for host in HOSTS} == dict.fromkeys(HOSTS, OLD)
    services = harness.services()
    assert {(services[host].status, services[host].disabled_reason) for host in HOSTS} == {("enabled", None)}


def test_the_node_that_was_out_came_first_and_then_the_last_one_of_the_upgrade(
    undone: dict[str, Any],
) -> None:
    assert undone["order"] == [undone["first"], *reversed(undone["released"])]
    assert undone["most_out"] == 1


def test_no_server_was_lost_or_stopped(undone: dict[str, Any]) -> None:
    assert undone["before"].keys() == undone["after"].keys()
    for name, server in undone["before"].items():
        assert state_of(undone["after"][name]) == state_of(server), name


def test_the_report_tells_what_was_taken_back(back: Harness, undone: dict[str, Any]) -> None:
    report = back.report(undone["run"])
    assert {node["host"]: node["state"] for node in report["nodes"]} == dict.fromkeys(HOSTS, "released")
    assert (report["procedure"], report["undoes"]) == (
        "rollback",
        {"campaign": undone["upgrade"].dag_id, "run_id": undone["upgrade"].run_id, "version": NEW},
    )


def test_a_second_rollback_finds_nothing_to_do(back: Harness, undone: dict[str, Any]) -> None:
    run = back.client.trigger(BACK, {"run_id": undone["upgrade"].run_id})
    assert back.wait(run) == "success"
    assert {back.states(run)[f"{host}.admit"] for host in HOSTS} == {"skipped"}


def test_every_node_was_saved_before_it_was_changed(back: Harness, undone: dict[str, Any]) -> None:
    saved = [one for one in back.report(undone["run"])["backups"] if one["kind"] == "node"]
    assert sorted(one["host"] for one in saved) == sorted(HOSTS)
    assert all(one["size_bytes"] > 0 for one in saved)
