from __future__ import annotations

from tests.reports import campaigns as made

from escalator.model.failed_nodes import OnFailedNode, OwnRollback
from escalator.reports.document import build_report
from escalator.reports.render import render_html, render_markdown

STARTED, PAUSED = (
    OwnRollback(
        policy=OnFailedNode.ROLLBACK_NODE,
        campaign="rollback__lab",
        run_id=run_id,
        hosts=("node-02",),
        not_started=reason,
    )
    for run_id, reason in (("back-1", ""), ("back-2", "the DAG is paused -> unpause it"))
)


def test_rollbacks_are_named_in_the_report_with_their_runs() -> None:
    document = build_report(made.facts(own_rollbacks=(STARTED, PAUSED)))
    assert [(r["run_id"], r["started"], r["reason"]) for r in document["rollbacks"]] == [
        ("back-1", True, None),
        ("back-2", False, PAUSED.not_started),
    ]
    found = {f["code"]: f for f in document["findings"] if f["code"].startswith("rollback_")}
    assert str(found["rollback_started"]["severity"]) == "info"
    assert str(found["rollback_not_started"]["severity"]) == "blocker"
    assert found["rollback_not_started"]["remedy"] == "unpause it"
    for text in (render_markdown(document), render_html(document)):
        assert "rollback__lab back-1 (node-02)" in text


def test_where_none_was_started_nothing_is_said() -> None:
    assert build_report(made.facts())["rollbacks"] == []
