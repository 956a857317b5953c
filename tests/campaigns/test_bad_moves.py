"""Migrations that hang, fail, or lose their nova-compute: the next method, else the node is held."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.lab.servers import ServerSpec
from tests.campaigns.harness import NEW, OLD, Harness, host_of, state_of

pytestmark = [pytest.mark.lab, pytest.mark.stack]


def _servers(bad: str, **metadata: str) -> list[ServerSpec]:
    return [
        ServerSpec(name="good", host="node-01"),
        ServerSpec(name="beside", host="node-01"),
        ServerSpec(name="bad", host=bad, metadata=metadata),
        ServerSpec(name="elsewhere", host="node-02"),
    ]


@pytest.fixture(scope="module")
def bad_moves(harness: Harness) -> dict[str, Any]:
    """Two nodes at once: on the first a move hangs once, from the second one server's moves always fail."""
    harness.fresh(_servers("node-02", lab_migrate="fail"))
    harness.lab.node("node-01").fault(migrate="hang", once=True)
    run = harness.trigger(
        hosts=["node-01", "node-02"], max_parallel=2, max_failed_nodes=1, migration_timeout_seconds=25
    )
    state = harness.wait(run)
    nodes = {node["host"]: node for node in harness.report(run)["nodes"]}
    return {"state": state, "nodes": nodes, "servers": harness.servers(), "services": harness.services()}


def test_a_migration_that_hangs_is_aborted_and_tried_elsewhere(
    harness: Harness, bad_moves: dict[str, Any]
) -> None:
    node = bad_moves["nodes"]["node-01"]
    assert node["state"] == "released"
    assert harness.running("node-01") == NEW
    assert [m["succeeded"] for m in node["moves"] if m["code"] == "migration_hung"] == [False]
    assert {m["name"] for m in node["moves"] if m["succeeded"]} == {"good", "beside"}
    assert {state_of(s) for s in bad_moves["servers"].values()} == {("ACTIVE", None)}


def test_a_migration_that_always_fails_holds_the_node_and_loses_nothing(
    harness: Harness, bad_moves: dict[str, Any]
) -> None:
    assert bad_moves["state"] == "failed"
    servers = bad_moves["servers"]
    assert (host_of(servers["bad"]), state_of(servers["bad"])) == ("node-02", ("ACTIVE", None))
    assert host_of(servers["elsewhere"]) != "node-02"
    assert state_of(servers["elsewhere"]) == ("ACTIVE", None)
    service = bad_moves["services"]["node-02"]
    assert service.status == "disabled"
    assert ":HELD " in service.disabled_reason
    assert harness.running("node-02") == OLD
    moves = [m for m in bad_moves["nodes"]["node-02"]["moves"] if m["name"] == "bad"]
    assert not any(m["succeeded"] for m in moves)
    assert {"node-03", "node-04"} <= {m["to"] for m in moves} <= {"node-01", "node-03", "node-04"}


def test_a_node_whose_compute_dies_in_mid_migration_is_held_and_loses_nothing(harness: Harness) -> None:
    harness.fresh(_servers("node-01", lab_migrate_seconds="6"))
    harness.lab.node("node-01").fault(migrate="die", once=True)
    run = harness.trigger(hosts=["node-01"], migration_timeout_seconds=10)
    assert harness.wait(run) == "failed"
    assert harness.services()["node-01"].status == "disabled"
    assert {"good", "beside", "bad", "elsewhere"} == set(harness.servers())

    harness.lab.node("node-01").restart()
    harness.lab.servers.wait_for({s["id"]: "ACTIVE" for s in harness.servers().values()})
    assert {state_of(s) for s in harness.servers().values()} == {("ACTIVE", None)}
