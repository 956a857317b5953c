"""Metrics, as they come out of a socket: StatsD's own listener stands in for whoever collects them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.builders import NOW
from tests.events.test_event import ABOUT, FULL

from escalator.events.event import Action, Event
from escalator.model.campaign import NodeProgress, NodeState

pytestmark = pytest.mark.airflow
STATE = Event(about=ABOUT, action=Action.NODE_STATE, at=NOW, node="node-01", result="failed")
NODES = (
    NodeProgress(host="node-01", state=NodeState.FAILED),
    NodeProgress(host="node-02"),
    NodeProgress(host="node-03"),
)


class Listener:
    """Hears what is sent to it."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(30)
        self.port = self.socket.getsockname()[1]

    def take(self, count: int) -> list[str]:
        """Return so many values of ours; Airflow sends some of its own."""
        found: list[str] = []
        while len(found) < count:
            line = self.socket.recv(4096).decode()
            found += [line] if ".escalator." in line else []
        return found


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.socket.close()


@pytest.fixture
def module(airflow_home: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> Any:
    assert airflow_home
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "127.0.0.1")
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(listener.port))
    from airflow.sdk._shared.observability.metrics import stats

    from escalator_airflow import metrics

    monkeypatch.setattr(stats, "_factory", None)
    monkeypatch.setattr(stats, "_backend", None)
    return metrics


ARRIVED = replace(FULL, result="arrived", seconds=17.25)


def test_values_arrive_with_their_tags_in_the_name(module: Any, listener: Listener) -> None:
    (hear,) = module.list_metric_hearers(lambda: NODES)
    hear(ARRIVED)
    assert listener.take(2) == [
        "airflow.escalator.moves.lab.live.arrived:1|c",
        "airflow.escalator.move_duration.lab.live:17250.000000|ms",
    ]


def test_nodes_are_counted_when_one_stands_otherwise(module: Any, listener: Listener) -> None:
    (hear,) = module.list_metric_hearers(lambda: NODES)
    hear(STATE)
    found = listener.take(len(NodeState))
    assert "airflow.escalator.nodes.lab.upgrade__lab__x.failed:1|g" in found
    assert "airflow.escalator.nodes.lab.upgrade__lab__x.waiting:2|g" in found
    assert "airflow.escalator.nodes.lab.upgrade__lab__x.held:0|g" in found


def test_all_states_are_zero_when_a_campaign_is_over_that_leaves_nobody_out(
    module: Any, listener: Listener
) -> None:
    (hear,) = module.list_metric_hearers(lambda: (NodeProgress(host="a", state=NodeState.RELEASED),))
    hear(replace(STATE, action=Action.CAMPAIGN_CONCLUDED, node=None, result="completed"))
    assert listener.take(1 + len(NodeState)) == [
        "airflow.escalator.campaigns.lab.completed:1|c",
        *(f"airflow.escalator.nodes.lab.upgrade__lab__x.{state}:0|g" for state in NodeState),
    ]


def test_backend_with_tags_gets_them_as_tags(
    module: Any, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "True")
    (hear,) = module.list_metric_hearers(lambda: NODES)
    hear(FULL)
    assert listener.take(1) == ["airflow.escalator.moves,cloud=lab,method=live,result=not_arrived:1|c"]


def test_names_of_clouds_and_campaigns_are_one_part_each(module: Any, listener: Listener) -> None:
    (hear,) = module.list_metric_hearers(lambda: NODES)
    hear(replace(STATE, about=replace(ABOUT, cloud="eu.north 1", campaign="upgrade__x__a.b")))
    assert all(
        line.startswith("airflow.escalator.nodes.eu_north_1.upgrade__x__a_b.")
        for line in listener.take(len(NodeState))
    )


def test_nothing_is_sent_where_airflow_sends_nothing(
    airflow_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert airflow_home
    monkeypatch.delenv("AIRFLOW__METRICS__STATSD_ON", raising=False)
    from escalator_airflow.metrics import list_metric_hearers

    assert list_metric_hearers(lambda: NODES) == ()
