from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.reports import campaigns as made
from tests.reports.campaigns import at

from escalator.model.campaign import NodeProgress, NodeState
from escalator.model.watchers import MaintenanceFlag, Silencing, Told
from escalator.reports.document import build_report
from escalator.reports.render import render_html, render_markdown

FLAG = MaintenanceFlag(segment_id="s1", host_id="h1", set_at=at(10), cleared_at=at(50))
SILENCING = Silencing(comment="c", set_at=at(11), ends_at=at(99), ended_at=at(51))


def report(told: Told, state: NodeState = NodeState.RELEASED) -> dict[str, Any]:
    view = made.facts().view
    nodes = tuple(NodeProgress(host=n.host, state=state) if n.host == "node-01" else n for n in view.nodes)
    return build_report(made.facts(told={"node-01": told}, view=replace(view, nodes=nodes)))


def test_what_was_set_and_cleared_is_one_line_each() -> None:
    document = report(Told(maintenance=FLAG, silencing=SILENCING))
    assert [(t["watcher"], t["what"], t["stays"]) for t in document["told"]] == [
        ("Masakari", "on_maintenance", None),
        ("Alertmanager", "silence", None),
    ]
    for text in (render_markdown(document), render_html(document)):
        assert "Masakari: on_maintenance" in text
        assert "Alertmanager: silence" in text
    assert not [f for f in document["findings"] if f["code"] == "flag_not_cleared"]
    nothing = build_report(made.facts())
    assert "What watches" not in render_markdown(nothing)
    del nothing["told"]  # as in a report of an earlier release
    assert "What watches" not in render_markdown(nothing) + render_html(nothing)


def test_a_flag_that_is_left_on_a_node_in_service_is_a_finding() -> None:
    left = Told(maintenance=replace(FLAG, cleared_at=None), silencing=replace(SILENCING, ended_at=None))
    document = report(left)
    (found,) = [f for f in document["findings"] if f["code"] == "flag_not_cleared"]
    assert "clear node-01.release" in found["remedy"]
    assert "False s1 h1" in found["remedy"]
    assert document["told"][0]["stays"] == "is still set"
    assert "runs out at" in document["told"][1]["stays"]


def test_a_flag_of_a_node_that_is_out_is_none() -> None:
    document = report(Told(maintenance=replace(FLAG, cleared_at=None)), NodeState.FAILED)
    assert not [f for f in document["findings"] if f["code"] == "flag_not_cleared"]
    assert document["told"][0]["stays"] == "stays, as the node does not serve"


@pytest.mark.parametrize("state", [NodeState.WAITING, NodeState.HELD])
def test_a_flag_of_a_node_that_was_given_back_as_it_was_is_a_finding_too(state: NodeState) -> None:
    """Its admit was cut off before it had the lease, or Masakari did not answer as it was given back."""
    document = report(Told(maintenance=replace(FLAG, cleared_at=None)), state)
    assert [f["subject"]["id"] for f in document["findings"] if f["code"] == "flag_not_cleared"] == [
        "node-01"
    ]
    assert document["told"][0]["stays"] == "is still set"
