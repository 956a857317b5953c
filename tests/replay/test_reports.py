"""A report of a real campaign holds a trace that is judged like a simulated one."""

from tests.reports import campaigns as made

from escalator.cloud_manager.snapshots import snapshot_from_document
from escalator.replay import ReplayOptions, check_trace
from escalator.reports.document import build_report

ROOM = {name: {"total": 10**6} for name in ("VCPU", "MEMORY_MB", "DISK_GB")}


def test_the_trace_of_a_report_is_clean() -> None:
    before = {**made.BEFORE, "nodes": [node | {"inventory": ROOM} for node in made.BEFORE["nodes"]]}
    trace = build_report(made.facts(snapshot_before=before), made.events())["trace"]
    report = check_trace(snapshot_from_document(before), trace, ReplayOptions(guests_untouched=True))
    assert report.violations == ()
    assert (report.facts.moves, report.facts.upgraded) == (4, ("node-01", "node-02"))
