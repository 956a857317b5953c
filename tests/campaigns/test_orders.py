"""A person orders a campaign that runs: pause, skip, resume, abort the moves of a node, stop; over REST.

The API server is killed right after it answered an order.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from escalator.airflow_client.errors import AirflowUnavailableError, RequestRefusedError
from escalator.airflow_stack.components import ComponentName
from escalator.lab.servers import ServerSpec
from escalator.model.cloud import ServiceStatus
from escalator.model.lease import LeaseMark
from escalator.model.order import Verb
from tests.campaigns.harness import DAG_ID, NEW, OLD, Harness, OutSampler, host_of

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.proof, pytest.mark.timeout(2400)]
HOSTS = tuple(f"node-0{n}" for n in range(1, 5))
LOOKS_SECONDS = 20
"""Some looks of those that wait at the door."""
WHY = "storm on the network"


def servers() -> list[ServerSpec]:
    """Return one server a node that moves fast, and on each some that take their time."""
    slow = {"lab_migrate_seconds": "25"}
    quick = [ServerSpec(name=f"web-{host}", host=host) for host in HOSTS]
    return [*quick, *(ServerSpec(name=f"slow-{host}", host=host, metadata=slow) for host in HOSTS)]


class Operator:
    """A person with the verbs, and what Airflow answered."""

    def __init__(self, harness: Harness, run_id: str) -> None:
        self.harness, self.run_id, self.api = harness, run_id, harness.client.campaigns

    def order(self, verb: Verb, host: str | None = None, **how: Any) -> Any:
        return self.api.order(DAG_ID, self.run_id, verb, reason=WHY, host=host, **how)

    def board(self) -> dict[str, Any]:
        """Return the board, as soon as the API server answers."""
        deadline = time.monotonic() + 120
        while True:
            try:
                return self.api.fetch_board(DAG_ID, self.run_id)
            except AirflowUnavailableError:
                assert time.monotonic() < deadline
                time.sleep(1.0)

    def node(self, host: str) -> dict[str, Any]:
        return next(dict(node) for node in self.board()["nodes"] if node["host"] == host)

    def wait_moving(self, host: str) -> None:
        """Wait until the slow server of a node is on its way."""
        deadline = time.monotonic() + 600
        while self.harness.servers()[f"slow-{host}"]["OS-EXT-STS:task_state"] != "migrating":
            assert time.monotonic() < deadline
            time.sleep(0.5)


@pytest.fixture(scope="module")
def ordered(harness: Harness) -> dict[str, Any]:
    before = harness.fresh(servers())
    run = harness.trigger(hosts=list(HOSTS), max_failed_nodes=2)
    person = Operator(harness, run.run_id)
    first, second, third, fourth = harness.order(run)
    found: dict[str, Any] = {"order": (first, second, third, fourth), "before": before, "run": run}
    harness.wait_for(run, f"{first}.precheck", "success")
    found["pause"] = person.order(Verb.PAUSE)
    harness.stack.kill(ComponentName.API_SERVER)
    harness.stack.up()
    found["while paused"] = person.board()
    found["skip"] = person.order(Verb.SKIP, third)
    with pytest.raises(RequestRefusedError) as twice:
        person.order(Verb.PAUSE)
    found["twice"] = str(twice.value)
    harness.wait_for(run, f"{first}.release", "success")
    sampler = OutSampler(harness.world.cloud())
    with sampler.watching():
        time.sleep(LOOKS_SECONDS)
    found["out while paused"], found["second while paused"] = sampler.most, person.node(second)
    found["resume"] = person.order(Verb.RESUME)
    person.wait_moving(second)
    with pytest.raises(RequestRefusedError):
        person.order(Verb.ABORT_MOVES, second)
    aborted = datetime.now(UTC)
    found["abort"] = person.order(Verb.ABORT_MOVES, second, confirm=[second, second])
    found["stop"] = person.order(Verb.STOP)
    found["state"] = harness.wait(run)
    found["orders"] = person.api.list_orders(DAG_ID, run.run_id)
    found["nodes"] = {node["host"]: node for node in harness.report(run)["nodes"]}
    found["services"], found["after"] = harness.services(), harness.servers()
    found["moves"] = [
        m for m in harness.world.cloud().fetch_migrations(since=aborted) if m.source_host == second
    ]
    return found


def test_the_node_in_flight_finishes_while_its_campaign_is_paused(
    harness: Harness, ordered: dict[str, Any]
) -> None:
    first, second, third, fourth = ordered["order"]
    assert ordered["pause"].in_flight == (first,)
    assert set(ordered["pause"].waiting) == {second, third, fourth}
    assert (ordered["nodes"][first]["state"], harness.running(first)) == ("released", NEW)


def test_an_order_that_was_answered_outlives_the_api_server(ordered: dict[str, Any]) -> None:
    assert ordered["while paused"]["campaign"]["stand"] == "paused"
    assert "it is paused already" in ordered["twice"]


def test_nobody_goes_out_while_it_is_paused(ordered: dict[str, Any]) -> None:
    waits = ordered["second while paused"]
    assert (ordered["out while paused"], waits["state"], waits["wait"]) == (0, "waiting", "order")
    assert WHY in waits["why"]


def test_a_node_that_is_skipped_is_left_as_it_was(harness: Harness, ordered: dict[str, Any]) -> None:
    third = ordered["order"][2]
    assert (ordered["nodes"][third]["state"], ordered["nodes"][third]["code"]) == ("skipped", "order_skip")
    assert harness.running(third) == OLD
    assert ordered["services"][third].status is ServiceStatus.ENABLED


def test_aborted_moves_leave_the_servers_running_and_the_node_held(
    harness: Harness, ordered: dict[str, Any]
) -> None:
    second = ordered["order"][1]
    node, service = ordered["nodes"][second], ordered["services"][second]
    assert (node["state"], node["code"]) == ("held", "order_abort_moves")
    assert service.lease.mark is LeaseMark.HELD
    assert harness.running(second) == OLD
    assert host_of(ordered["after"][f"slow-{second}"]) == second
    assert "cancelled" in {str(move.status) for move in ordered["moves"]}


def test_no_further_node_goes_out_after_stop(harness: Harness, ordered: dict[str, Any]) -> None:
    fourth = ordered["order"][3]
    assert ordered["state"] == "failed"
    assert (ordered["nodes"][fourth]["state"], ordered["nodes"][fourth]["code"]) == ("waiting", "order_stop")
    assert harness.running(fourth) == OLD
    assert ordered["services"][fourth].status is ServiceStatus.ENABLED


def test_every_order_says_who_when_why_and_since_when_it_holds(ordered: dict[str, Any]) -> None:
    verbs = [(order["verb"], order["host"]) for order in ordered["orders"]]
    _, second, third, _ = ordered["order"]
    assert verbs == [
        ("pause", None),
        ("skip", third),
        ("resume", None),
        ("abort-moves", second),
        ("stop", None),
    ]
    for order in ordered["orders"]:
        assert (order["by"], order["reason"]) == ("admin", WHY)
        assert order["effective_at"] is not None, order
        assert order["plan_hash"]


def test_no_server_was_lost_or_stopped(ordered: dict[str, Any]) -> None:
    assert ordered["before"].keys() == ordered["after"].keys()
    assert {server["status"] for server in ordered["after"].values()} == {"ACTIVE"}
