"""A node whose nova-compute does not start after the upgrade stays out and stops the campaign.

A node that a person has disabled before is left as it is.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.campaigns.harness import NEW, OLD, Harness

pytestmark = [pytest.mark.lab, pytest.mark.stack]
HOSTS = ("node-01", "node-02", "node-03")
OF_A_PERSON = "node-04"
REASON = "disk is being replaced, ticket 4711"


@pytest.fixture(scope="module")
def failed(harness: Harness) -> dict[str, Any]:
    harness.fresh(4)
    harness.world.cloud().ensure_disabled(OF_A_PERSON, REASON)
    run = harness.trigger(hosts=[OF_A_PERSON, *HOSTS], max_parallel=2)
    order = [host for host in harness.order(run) if host != OF_A_PERSON]
    harness.lab.node(order[0]).fault(refuse_start_release=NEW)
    harness.lab.node(order[1]).fault(seconds=600)  # out until the first one fails: nobody takes its place
    harness.wait_for(run, f"{order[0]}.verify", "failed")
    harness.let_arrive(order[1])
    state = harness.wait(run)
    return {"run": run, "order": order, "state": state, "services": harness.services()}


def test_the_run_is_red_and_the_node_stays_out_with_the_reason(
    harness: Harness, failed: dict[str, Any]
) -> None:
    service = failed["services"][failed["order"][0]]
    assert failed["state"] == "failed"
    assert service.status == "disabled"
    assert service.disabled_reason.startswith("escalator:")
    assert ":FAILED " in service.disabled_reason
    assert harness.states(failed["run"])[f"{failed['order'][0]}.verify"] == "failed"


def test_the_node_in_flight_finished(harness: Harness, failed: dict[str, Any]) -> None:
    second = failed["order"][1]
    assert harness.states(failed["run"])[f"{second}.release"] == "success"
    assert harness.running(second) == NEW
    assert failed["services"][second].status == "enabled"


def test_the_later_node_was_not_admitted(harness: Harness, failed: dict[str, Any]) -> None:
    last = failed["order"][2]
    assert harness.states(failed["run"])[f"{last}.admit"] == "skipped"
    assert harness.running(last) == OLD
    assert failed["services"][last].status == "enabled"
    assert failed["order"][0] in harness.log(failed["run"], f"{last}.admit")


def test_the_node_of_a_person_is_skipped_and_left_as_it_was(harness: Harness, failed: dict[str, Any]) -> None:
    service = failed["services"][OF_A_PERSON]
    assert (service.status, service.disabled_reason) == ("disabled", REASON)
    assert harness.running(OF_A_PERSON) == OLD
    assert harness.states(failed["run"])[f"{OF_A_PERSON}.admit"] == "skipped"
    assert REASON in harness.log(failed["run"], f"{OF_A_PERSON}.admit")


def test_no_server_is_on_the_failed_node(harness: Harness, failed: dict[str, Any]) -> None:
    assert harness.world.cloud().fetch_servers(failed["order"][0]) == ()


def test_clearing_the_upgrade_completes_the_node_when_the_cause_is_gone(
    harness: Harness, failed: dict[str, Any]
) -> None:
    run, host = failed["run"], failed["order"][0]
    harness.lab.node(host).clear_faults()
    harness.clear(run, f"{host}.upgrade")
    harness.wait(run)
    states = harness.states(run)
    assert [states[f"{host}.{step}"] for step in ("upgrade", "verify", "release")] == ["success"] * 3
    service = harness.services()[host]
    assert (service.status, service.disabled_reason) == ("enabled", None)
    assert harness.running(host) == NEW
    person = harness.services()[OF_A_PERSON]
    assert (person.status, person.disabled_reason) == ("disabled", REASON)
