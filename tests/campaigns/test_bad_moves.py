"""Migrations that hang, fail, or lose their nova-compute: the next method, else the node is held."""

from __future__ import annotations

import pytest

from escalator.lab.servers import ServerSpec
from tests.campaigns.harness import NEW, OLD, Harness, host_of, state_of

pytestmark = [pytest.mark.lab, pytest.mark.stack]


def _servers(**metadata: str) -> list[ServerSpec]:
    return [
        ServerSpec(name="good", host="node-01"),
        ServerSpec(name="bad", host="node-01", metadata=metadata),
        ServerSpec(name="elsewhere", host="node-02"),
    ]


def test_a_migration_that_hangs_is_aborted_and_tried_elsewhere(harness: Harness) -> None:
    harness.fresh(_servers())
    harness.lab.node("node-01").fault(migrate="hang", once=True)
    run = harness.trigger(hosts=["node-01"], migration_timeout_seconds=10)
    assert harness.wait(run) == "success", harness.states(run)
    assert harness.running("node-01") == NEW
    node = harness.report(run)["nodes"][0]
    assert [m["succeeded"] for m in node["moves"] if m["code"] == "migration_hung"] == [False]
    assert {m["name"] for m in node["moves"] if m["succeeded"]} == {"good", "bad"}
    assert {state_of(s) for s in harness.servers().values()} == {("ACTIVE", None)}


def test_a_migration_that_always_fails_holds_the_node_and_loses_nothing(harness: Harness) -> None:
    harness.fresh(_servers(lab_migrate="fail"))
    run = harness.trigger(hosts=["node-01"])
    assert harness.wait(run) == "failed"
    servers = harness.servers()
    assert (host_of(servers["bad"]), state_of(servers["bad"])) == ("node-01", ("ACTIVE", None))
    assert host_of(servers["good"]) != "node-01"
    service = harness.services()["node-01"]
    assert service.status == "disabled"
    assert ":HELD " in service.disabled_reason
    assert harness.running("node-01") == OLD
    destinations = {m["to"] for m in harness.report(run)["nodes"][0]["moves"] if m["name"] == "bad"}
    assert destinations == {"node-02", "node-03", "node-04"}


def test_a_node_whose_compute_dies_in_mid_migration_is_held_and_loses_nothing(harness: Harness) -> None:
    harness.fresh(_servers(lab_migrate_seconds="6"))
    harness.lab.node("node-01").fault(migrate="die", once=True)
    run = harness.trigger(hosts=["node-01"], migration_timeout_seconds=10)
    assert harness.wait(run) == "failed"
    assert harness.services()["node-01"].status == "disabled"
    assert {"good", "bad", "elsewhere"} == set(harness.servers())

    harness.lab.node("node-01").restart()
    harness.lab.servers.wait_for({s["id"]: "ACTIVE" for s in harness.servers().values()})
    assert {state_of(s) for s in harness.servers().values()} == {("ACTIVE", None)}
