from __future__ import annotations

from dataclasses import replace

import pytest
from tests.reports import campaigns as made
from tests.reports.campaigns import at

from escalator.model.approval import ApprovalAnswer
from escalator.model.no_return import SERVERS_STUCK, NoReturn
from escalator.reports.document import build_report


def test_the_report_says_which_nodes_cannot_go_back_since_when_and_why() -> None:
    plan = replace(made.plan(), no_return=NoReturn(reasons={"node-02": "gone"}, after=1))
    changed = {"node-01": at(50), "node-02": at(20)}
    document = build_report(replace(made.facts(), plan=plan, changed_at=changed))
    assert [(row["host"], row["reason"]) for row in document["no_return"]] == [
        ("node-02", "gone"),
        ("node-01", SERVERS_STUCK),
    ]
    said = [f["message"] for f in document["findings"] if f["code"] == "no_return_since"]
    assert said == [
        "no return for node-02 since 2026-11-22T08:00:20.000Z: gone",
        f"no return for node-01 since 2026-11-22T08:00:50.000Z: {SERVERS_STUCK}",
    ]


def test_where_all_can_go_back_nothing_is_said() -> None:
    document = build_report(replace(made.facts(), changed_at={"node-01": at(50)}))
    assert document["no_return"] == []
    assert "no_return_since" not in {f["code"] for f in document["findings"]}


@pytest.mark.parametrize(
    ("go_on", "by", "code", "words"),
    [
        (True, "ops", "approval", "nodes that cannot go back go out: ops, "),
        (False, "", "approval_refused", "no node that cannot go back goes out: nobody in time, "),
    ],
)
def test_who_was_asked_about_such_nodes_is_named(go_on: bool, by: str, code: str, words: str) -> None:  # noqa: FBT001
    answer = ApprovalAnswer(go_on=go_on, by=by, at=at(5))
    facts = made.facts()
    document = build_report(replace(facts, view=replace(facts.view, crossing=answer)))
    (found,) = (f for f in document["findings"] if f["code"] == code)
    assert found["message"].startswith(words)
