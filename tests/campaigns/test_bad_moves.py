"""Migrations that hang, fail, or lose their nova-compute: the next method, else the node is held."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.lab.servers import ServerSpec
from tests.campaigns.harness import NEW, OLD, Harness, host_of, state_of

pytestmark = [pytest.mark.lab, pytest.mark.stack]


SERVERS = (
    ServerSpec(name="good", host="node-01"),
    ServerSpec(name="beside", host="node-01"),
    ServerSpec(name="bad", host="node-02", metadata={"lab_migrate": "fail"}),
    ServerSpec(name="elsewhere", host="node-02"),
    ServerSpec(name="slow", host="node-03", metadata={"lab_migrate_seconds": "6"}),
)


@pytest.fixture(scope="module")
def bad_moves(harness: Harness) -> dict[str, Any]:
    """Of three nodes the first has a move that hangs once, the next one that fails; the third's Nova dies."""
    harness.fresh(SERVERS)
    harness.lab.node("node-01").fault(migrate="hang", once=True)
    harness.lab.node("node-03").fault(migrate="die", once=True)
    run = harness.trigger(
        hosts=["node-01", "node-02", "node-03"], max_failed_nodes=2, migration_timeout_seconds=45
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


def test_a_migration_that_always_fails_is_tried_elsewhere_and_holds_the_node(
    harness: Harness, bad_moves: dict[str, Any]
) -> None:
    assert bad_moves["state"] == "failed"
    servers = bad_moves["servers"]
    assert host_of(servers["bad"]) == "node-02"
    assert host_of(servers["elsewhere"]) != "node-02"
    _is_held(harness, bad_moves, "node-02")
    moves = [m for m in bad_moves["nodes"]["node-02"]["moves"] if m["name"] == "bad"]
    assert not any(m["succeeded"] for m in moves)
    assert {m["to"] for m in moves} == {"node-01", "node-04"}  # node-03 is out


def test_a_node_whose_compute_dies_in_mid_migration_is_held(
    harness: Harness, bad_moves: dict[str, Any]
) -> None:
    _is_held(harness, bad_moves, "node-03")
    assert host_of(bad_moves["servers"]["slow"]) == "node-03"


def test_no_server_is_lost(harness: Harness, bad_moves: dict[str, Any]) -> None:
    assert set(bad_moves["servers"]) == {spec.name for spec in SERVERS}
    apart = [s for s in bad_moves["servers"].values() if host_of(s) != "node-03"]
    assert {state_of(s) for s in apart} == {("ACTIVE", None)}

    harness.lab.node("node-03").restart()
    harness.lab.servers.wait_for({s["id"]: "ACTIVE" for s in harness.servers().values()})
    assert {state_of(s) for s in harness.servers().values()} == {("ACTIVE", None)}


def _is_held(harness: Harness, bad_moves: dict[str, Any], host: str) -> None:
    service = bad_moves["services"][host]
    assert service.status == "disabled"
    assert ":HELD " in service.disabled_reason
    assert harness.running(host) == OLD
