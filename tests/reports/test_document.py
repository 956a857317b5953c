from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reports import campaigns as made

from escalator.model.campaign import LedgerView, NodeProgress, NodeState, RunOf, Step
from escalator.model.verdict import Code, Severity, Subject, SubjectType, Verdict
from escalator.reports.document import build_report
from escalator.reports.facts import CampaignFacts


def node(document: dict[str, Any], host: str) -> dict[str, Any]:
    return next(n for n in document["nodes"] if n["host"] == host)


def view(*nodes: NodeProgress) -> LedgerView:
    return LedgerView(nodes=nodes)


def test_the_head_names_the_campaign() -> None:
    document = build_report(made.facts(), made.events())
    head = {key: document[key] for key in ("schema", "campaign", "run_id", "cloud", "domain", "outcome")}
    assert head == {
        "schema": "escalator.report/1",
        "campaign": "upgrade__lab__cell1-az1-general",
        "run_id": "manual__1",
        "cloud": "lab",
        "domain": "cell1/az1/general",
        "outcome": "completed",
    }
    assert document["started"] == "2026-11-22T08:00:00.000Z"
    assert document["ended"] == "2026-11-22T08:03:50.000Z"
    assert document["request"]["hosts"] == ["node-01", "node-02"]
    assert document["snapshot_before"] == made.BEFORE
    assert document["snapshot_after"] == made.AFTER


def test_the_first_node_computed_by_hand() -> None:
    first = node(build_report(made.facts(), made.events()), "node-01")
    assert (first["from_version"], first["to_version"], first["state"]) == ("33.0.2", "34.0.0", "released")
    assert first["wall_seconds"] == 46.0  # lease at 12, given back at 58
    assert first["migrate_seconds"] == 10.0  # 20 to 30, three migrations that overlap
    assert first["upgrade_seconds"] == 10.0  # 35 to 45
    assert first["own_overhead_seconds"] == 26.0
    assert first["parked_seconds"] == 0.0
    assert first["api_calls"] == {
        "admit": 20, "precheck": 15, "switchover": 1, "migrate": 5, "upgrade": 3, "verify": 12, "release": 3
    }  # fmt: skip
    assert [(m["name"], m["to"], m["succeeded"], m["interruption_ms"]) for m in first["moves"]] == [
        ("web-1", "node-02", True, 120.0),
        ("web-2", "node-02", False, None),
        ("web-2", "node-03", True, 340.0),
    ]


def test_the_second_node_was_out_from_the_killed_admit_until_its_repair() -> None:
    second = node(build_report(made.facts(), made.events()), "node-02")
    assert second["wall_seconds"] == 158.0  # 60 to 218
    assert second["migrate_seconds"] == 9.0
    assert second["upgrade_seconds"] == 8.0
    assert second["parked_seconds"] == 100.0  # left out at 93, tried again at 193
    assert second["own_overhead_seconds"] == 41.0
    upgrade = next(s for s in second["steps"] if s["step"] == "upgrade")
    assert (upgrade["attempts"], upgrade["seconds"], upgrade["result"]) == (2, 19.0, "ok")
    admit = next(s for s in second["steps"] if s["step"] == "admit")
    assert (admit["attempts"], admit["unfinished_attempts"], admit["seconds"]) == (2, 1, 1.0)


def test_a_server_that_did_not_run_was_not_interrupted() -> None:
    second = node(build_report(made.facts(), made.events()), "node-02")
    cold = next(m for m in second["moves"] if m["name"] == "web-3")
    assert (cold["method"], cold["interruption_ms"], cold["interruption_note"]) == (
        "cold",
        None,
        "was not running",
    )


def test_without_event_logs_nothing_is_measured() -> None:
    document = build_report(made.facts())
    assert document["totals"]["interruption_ms"] == {
        "longest": None, "median": None, "measured": 0, "not_measured": 3
    }  # fmt: skip
    assert node(document, "node-01")["moves"][0]["interruption_note"] == "not measured"


def test_the_totals_computed_by_hand() -> None:
    assert build_report(made.facts(), made.events())["totals"] == {
        "nodes": 2,
        "states": {"released": 2},
        "moves": 4,
        "move_attempts": 5,
        "servers_moved": 3,
        "api_calls": 152,  # 59 and 61 of the nodes, 32 of the campaign
        "campaign_api_calls": {"check_conditions": 16, "conclude": 16},
        "migrate_api_calls": 9,
        "api_calls_per_moved_server": 2.25,
        "interruption_ms": {"longest": 340.0, "median": 200.0, "measured": 3, "not_measured": 0},
        "own_overhead_seconds": {"longest": 41.0, "median": 33.5},
        "upgrade_duration_seconds": 206.0,  # 12 to 218
    }


def test_servers_before_and_after() -> None:
    rows = build_report(made.facts(), made.events())["servers"]
    assert [
        (r["name"], r["host_before"], r["host_after"], r["vm_state_after"], r["moves"]) for r in rows
    ] == [
        ("web-1", "node-01", "node-01", "active", 2),
        ("web-2", "node-01", "node-03", "active", 1),
        ("web-3", "node-02", "node-01", "stopped", 1),
        ("web-4", "node-03", "node-03", "active", 0),
    ]


def test_a_failed_node_leaves_the_campaign_incomplete_and_the_node_out() -> None:
    stands = view(
        NodeProgress(host="node-01", state=NodeState.RELEASED),
        NodeProgress(host="node-02", state=NodeState.FAILED, code=Code.UPGRADE_FAILED, message="exit code 1"),
    )
    document = build_report(made.facts(view=stands, steps=made.STEPS[:-3]), made.events())
    second = node(document, "node-02")
    assert document["outcome"] == "incomplete"
    assert (second["out_of_service"], second["released"]) == (True, None)
    assert (second["wall_seconds"], second["own_overhead_seconds"]) == (None, None)
    assert second["upgrade_seconds"] is None
    found = next(f for f in document["findings"] if f["subject"]["id"] == "node-02")
    assert (found["severity"], found["code"]) == ("blocker", "upgrade_failed")


def test_skipped_nodes_do_not_make_a_campaign_incomplete() -> None:
    stands = view(
        NodeProgress(host="node-01", state=NodeState.RELEASED),
        NodeProgress(
            host="node-02", state=NodeState.SKIPPED, code=Code.DISABLED_BY_OTHERS, message="disk swap"
        ),
    )
    document = build_report(made.facts(view=stands, steps=made.STEPS[:7]), made.events())
    assert document["outcome"] == "completed"
    assert document["trace"]["result"]["held"] == [
        {"host": "node-02", "code": "disabled_by_others", "reason": "disk swap"}
    ]


def test_a_node_that_still_waits_makes_it_incomplete() -> None:
    stands = view(NodeProgress(host="node-01", state=NodeState.RELEASED))
    document = build_report(made.facts(view=stands, steps=made.STEPS[:7]), made.events())
    assert document["outcome"] == "incomplete"
    assert [f["code"] for f in document["findings"] if f["subject"]["type"] == "node"] == ["node_unfinished"]


def test_a_dry_run_says_so() -> None:
    document = build_report(made.facts(plan=made.plan(dry_run=True), steps=(), moves=(), view=view()))
    assert document["outcome"] == "dry-run"
    assert document["totals"]["upgrade_duration_seconds"] is None
    assert document["trace"]["events"] == []


def test_a_refused_campaign_carries_the_reasons() -> None:
    reason = Verdict(
        code=Code.CAPACITY,
        message="16384 MiB are missing",
        subject=Subject(type=SubjectType.NODE, id="node-01"),
        severity=Severity.BLOCKER,
        remedy="add a node",
    )
    refused = made.facts(
        refused=True,
        verdicts=(reason,),
        steps=(),
        moves=(),
        view=view(),
        snapshot_before=None,
        snapshot_after=None,
    )
    document = build_report(refused)
    assert document["outcome"] == "refused"
    assert [(f["code"], f["remedy"]) for f in document["findings"]] == [("capacity", "add a node")]


def test_a_long_interruption_is_found() -> None:
    rows = (("web-1", "paused", 22.0), ("web-1", "resumed", 23.5))
    document = build_report(made.facts(), made.events(rows))
    found = [f for f in document["findings"] if f["code"] == "interruption_long"]
    assert [(f["subject"]["name"], f["message"]) for f in found] == [
        ("web-1", "was interrupted for 1500 ms on its way to node-02")
    ]


@pytest.mark.parametrize(
    ("bears", "said"), [(0.2, "1500 ms on its way to node-02; it bears 200 ms"), (2.0, None)]
)
def test_a_server_is_judged_by_what_it_says_that_it_bears(bears: float, said: str | None) -> None:
    facts = made.facts()
    assert facts.snapshot_before is not None
    before = facts.snapshot_before.cloud
    servers = tuple(replace(s, max_interruption_seconds=bears) for s in before.servers)
    recorded = replace(facts.snapshot_before, cloud=replace(before, servers=servers))
    rows = (("web-1", "paused", 22.0), ("web-1", "resumed", 23.5))
    document = build_report(replace(facts, snapshot_before=recorded), made.events(rows))
    found = [f["message"] for f in document["findings"] if f["code"] == "interruption_long"]
    assert found == ([] if said is None else [f"was interrupted for {said}"])


def test_a_measured_interruption_of_the_ledger_goes_before_the_logs() -> None:
    moves = (replace(made.MOVES[0], interruption_ms=7.0), *made.MOVES[1:])
    document = build_report(made.facts(moves=moves), made.events())
    assert node(document, "node-01")["moves"][0]["interruption_ms"] == 7.0


SPANS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 60)), max_size=4)


@st.composite
def campaigns(draw: st.DrawFn) -> CampaignFacts:
    """Draw campaigns of any order of attempts, also impossible ones."""
    steps, moves = [], []
    for host in ("node-01", "node-02"):
        for step in Step:
            for start, length in draw(SPANS):
                result = draw(st.sampled_from(["ok", "skipped", "held", "failed"]))
                details = {"upgrade_seconds": draw(st.integers(0, 100))} if step is Step.UPGRADE else {}
                end = None if draw(st.booleans()) and result == "held" else start + length
                steps.append(
                    made.run(host, step, start, end, result=result, details=details, api_calls=length)
                )
        for start, length in draw(SPANS):
            moves.append(
                made.move("web-1", host, "node-03", start, start + length, succeeded=draw(st.booleans()))
            )
    return made.facts(steps=tuple(steps), moves=tuple(moves))


@settings(max_examples=60, deadline=None)
@given(campaigns())
def test_times_are_never_negative_and_never_more_than_the_wall(facts: CampaignFacts) -> None:
    for row in build_report(facts, made.events())["nodes"]:
        if row["wall_seconds"] is None:
            assert row["own_overhead_seconds"] is None
            continue
        parts = row["migrate_seconds"] + (row["upgrade_seconds"] or 0.0) + row["parked_seconds"]
        assert 0 <= row["own_overhead_seconds"] <= row["wall_seconds"]
        assert row["wall_seconds"] <= row["own_overhead_seconds"] + parts + 0.01


@settings(max_examples=60, deadline=None)
@given(campaigns())
def test_totals_are_the_sums_of_their_parts(facts: CampaignFacts) -> None:
    document = build_report(facts, made.events())
    totals = document["totals"]
    assert totals["api_calls"] == sum(s.api_calls for s in facts.steps) + 32
    assert totals["moves"] == sum(m.succeeded for m in facts.moves)
    assert totals["move_attempts"] == len(facts.moves)
    events = [e["event"] for e in document["trace"]["events"]]
    assert events.count("move_start") == events.count("move_end") == totals["moves"]
    assert events.count("release") <= events.count("admit")


def test_a_rollback_says_what_it_takes_back() -> None:
    facts = made.facts()
    undoes = RunOf(campaign="upgrade__lab__cell1-az1-general", run_id="manual__0", version="34.0.0")
    document = build_report(
        replace(facts, plan=replace(facts.plan, procedure="rollback", undoes=undoes)), made.events()
    )
    assert (document["procedure"], document["undoes"]) == (
        "rollback",
        {"campaign": "upgrade__lab__cell1-az1-general", "run_id": "manual__0", "version": "34.0.0"},
    )
    assert build_report(facts, made.events())["undoes"] is None
