"""A node whose nova-compute does not start after the upgrade stays out and stops the campaign."""

from __future__ import annotations

from typing import Any

import pytest

from tests.campaigns.harness import NEW, OLD, Harness

pytestmark = [pytest.mark.lab, pytest.mark.stack]
HOSTS = ("node-01", "node-02", "node-03")


@pytest.fixture(scope="module")
def failed(harness: Harness) -> dict[str, Any]:
    harness.fresh(4)
    run = harness.trigger(hosts=list(HOSTS), max_parallel=2)
    order = harness.order(run)
    harness.lab.node(order[0]).fault(refuse_start_release=NEW)
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
