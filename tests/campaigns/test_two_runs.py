"""Two campaigns at once over the same nodes, and a node that a person disabled."""

from __future__ import annotations

from typing import Any

import pytest

from tests.campaigns.harness import NEW, OLD, Harness, OutSampler

pytestmark = [pytest.mark.lab, pytest.mark.stack]
HOSTS = ("node-01", "node-02")
REASON = "disk is being replaced, ticket 4711"


@pytest.fixture(scope="module")
def two(harness: Harness) -> dict[str, Any]:
    harness.fresh(4)
    cloud = harness.world.cloud()
    cloud.ensure_disabled("node-04", REASON)
    sampler = OutSampler(harness.world.cloud(), ignore=frozenset({"node-04"}))
    with sampler.watching():
        first = harness.trigger(hosts=["node-01", "node-02", "node-04"])
        second = harness.trigger(hosts=["node-02", "node-01", "node-04"])
        states = [harness.wait(first), harness.wait(second)]
    return {"runs": (first, second), "states": states, "sampler": sampler}


def test_both_runs_end_well(harness: Harness, two: dict[str, Any]) -> None:
    assert two["states"] == ["success", "success"], [harness.states(run) for run in two["runs"]]
    assert {host: harness.running(host) for host in HOSTS} == dict.fromkeys(HOSTS, NEW)


def test_never_more_than_one_node_was_out_over_both(two: dict[str, Any]) -> None:
    assert two["sampler"].seen == set(HOSTS)
    assert two["sampler"].most == 1


def test_no_node_was_upgraded_twice(harness: Harness, two: dict[str, Any]) -> None:
    done = [
        node["host"]
        for run in two["runs"]
        for node in harness.report(run)["nodes"]
        if node["state"] == "released"
    ]
    assert sorted(done) == sorted(HOSTS)


def test_the_node_of_a_person_is_skipped_and_left_as_it_was(harness: Harness, two: dict[str, Any]) -> None:
    service = harness.services()["node-04"]
    assert (service.status, service.disabled_reason) == ("disabled", REASON)
    assert harness.running("node-04") == OLD
    assert harness.states(two["runs"][0])["node-04.admit"] == "skipped"
    assert REASON in harness.log(two["runs"][0], "node-04.admit")
    harness.world.cloud().ensure_enabled("node-04")
