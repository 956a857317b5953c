"""Servers that were stopped for the upgrade of their node: planned interruptions, or findings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.reports import campaigns as made
from tests.reports.campaigns import at

from escalator.model.campaign import NodeProgress, NodeState
from escalator.model.stops import RUNNING, ServerStop, StopEnd
from escalator.reports.document import build_report
from escalator.reports.render import render_html, render_markdown
from escalator.reports.stops import sum_stops

STOP = ServerStop(
    server_id="id-pin",
    server_name="pin",
    power_state=RUNNING,
    noted_at=at(33),
    ha_group="sbc",
    asked_at=at(33),
    stopped_at=at(34),
    ended_at=at(50),
    end=StopEnd.RUNS,
)
DOWN = replace(STOP, ended_at=None, end=None, fault="Nova does not start it: it is stopped")


def report(*stops: ServerStop, **changes: Any) -> dict[str, Any]:
    return build_report(made.facts(stops={"node-01": stops}, **changes))


def test_each_stop_is_told_with_its_silence() -> None:
    document = report(STOP)
    (row,) = document["stops"]
    assert (row["name"], row["host"], row["silent_seconds"], row["became"]) == (
        "pin",
        "node-01",
        17.0,
        "runs again",
    )
    assert not [f for f in document["findings"] if f["code"] == "server_not_started"]
    for text in (render_markdown(document), render_html(document)):
        assert "Servers stopped" in text
        assert "17.0 s" in text
    assert "Servers stopped" not in render_markdown(report())


def test_who_is_down_is_a_finding_with_the_fate_of_its_node() -> None:
    failed = made.facts().view
    nodes = tuple(
        NodeProgress(host=n.host, state=NodeState.FAILED, message="x") if n.host == "node-01" else n
        for n in failed.nodes
    )
    document = report(DOWN, view=replace(failed, nodes=nodes))
    (found,) = [f for f in document["findings"] if f["code"] == "server_not_started"]
    assert found["severity"] == "blocker"
    assert found["message"] == (
        "was stopped for the upgrade of node-01 (it is failed) and does not run again: "
        "Nova does not start it: it is stopped"
    )
    assert "openstack server start id-pin" in str(found["remedy"])


def test_the_trace_has_the_stop_before_the_upgrade_and_the_start_before_the_release() -> None:
    events = report(STOP)["trace"]["events"]
    names = [e["event"] for e in events if e.get("server") == "id-pin" or e.get("host") == "node-01"]
    assert names == ["admit", "stop", "upgrade_start", "upgrade_end", "start", "release"]


def test_what_its_owner_stopped_is_no_event_and_of_two_lives_the_whole_time_is_told() -> None:
    theirs = replace(STOP, end=StopEnd.NOT_OURS)
    again = replace(STOP, asked_at=at(40), ended_at=at(55))
    assert not [e for e in report(theirs)["trace"]["events"] if e["event"] == "stop"]
    events = report(STOP, again)["trace"]["events"]
    assert [(e["event"], e["t"]) for e in events if e.get("server") == "id-pin"] == [
        ("stop", 33.0),
        ("start", 55.0),
    ]


def test_sums_count_what_is_down_without_a_time() -> None:
    assert sum_stops([STOP, DOWN]) == {"stops": 2, "longest_seconds": 17.0, "sum_seconds": 17.0, "down": 1}
