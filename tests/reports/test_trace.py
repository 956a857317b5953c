import hashlib
import json

from tests.reports import campaigns as made

from escalator.model.campaign import Step
from escalator.reports.document import build_report


def test_the_events_of_a_campaign_in_order() -> None:
    events = build_report(made.facts(), made.events())["trace"]["events"]
    assert [(e["t"], e["event"], e.get("host") or e["server"]) for e in events] == [
        (12.0, "admit", "node-01"),
        (20.0, "move_start", "id-web-1"),
        (24.0, "move_start", "id-web-2"),
        (27.0, "move_end", "id-web-1"),
        (30.0, "move_end", "id-web-2"),
        (35.0, "upgrade_start", "node-01"),
        (45.0, "upgrade_end", "node-01"),
        (58.0, "release", "node-01"),
        (60.0, "admit", "node-02"),
        (72.0, "move_start", "id-web-1"),
        (72.0, "move_start", "id-web-3"),
        (78.0, "move_end", "id-web-1"),
        (81.0, "move_end", "id-web-3"),
        (83.0, "upgrade_start", "node-02"),
        (205.0, "upgrade_end", "node-02"),
        (218.0, "release", "node-02"),
    ]
    place = {"server": "id-web-2", "from": "node-01", "to": "node-03", "kind": "live"}
    assert events[4] == {"t": 30.0, "event": "move_end", **place}


def test_the_result() -> None:
    trace = build_report(made.facts(), made.events())["trace"]
    assert trace["schema"] == "escalator.trace/1"
    assert trace["max_parallel"] == 1
    assert trace["result"] == {
        "upgraded": ["node-01", "node-02"],
        "held": [],
        "moves": 4,
        "standby_moves": 0,
        "moves_lower_bound": 3,  # web-1, web-2 and web-3 were on the two nodes
        "switchovers": 0,
        "makespan_seconds": 206.0,
        "makespan_lower_bound_seconds": 18.0,  # two upgrade jobs, 10 and 8 seconds, one node at a time
        "cpu_seconds": 0.0,
    }


def test_the_digest_is_that_of_the_snapshot_in_the_report() -> None:
    document = build_report(made.facts(), made.events())
    text = json.dumps(document["snapshot_before"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert document["trace"]["snapshot_sha256"] == hashlib.sha256(text.encode()).hexdigest()


def test_playing_the_trace_ends_where_the_snapshot_after_says() -> None:
    document = build_report(made.facts(), made.events())
    places = {s["id"]: s["host"] for s in document["snapshot_before"]["servers"]}
    out: set[str] = set()
    for event in document["trace"]["events"]:
        match event["event"]:
            case "admit":
                out.add(event["host"])
                assert len(out) <= document["trace"]["max_parallel"]
            case "release":
                out.remove(event["host"])
            case "move_end":
                assert places[event["server"]] == event["from"]
                places[event["server"]] = event["to"]
    assert places == {s["id"]: s["host"] for s in document["snapshot_after"]["servers"]}
    assert out == set()


def test_times_that_the_steps_recorded_go_before_the_ends_of_the_attempts() -> None:
    steps = (
        made.run("node-01", Step.ADMIT, 10, 12, details={"leased_at": made.at(11).isoformat()}),
        made.run("node-01", Step.RELEASE, 20, 25, details={"released_at": made.at(21).isoformat()}),
    )
    events = build_report(made.facts(steps=steps, moves=()))["trace"]["events"]
    assert [(e["t"], e["event"]) for e in events] == [(11.0, "admit"), (21.0, "release")]


def test_a_recorded_time_outside_its_attempt_is_not_believed() -> None:
    steps = (
        made.run("node-01", Step.ADMIT, 10, 12, details={"leased_at": made.at(1).isoformat()}),
        made.run("node-01", Step.RELEASE, 20, 25, details={"released_at": "soon"}),
    )
    events = build_report(made.facts(steps=steps, moves=()))["trace"]["events"]
    assert [(e["t"], e["event"]) for e in events] == [(12.0, "admit"), (25.0, "release")]


def test_a_node_that_was_given_back_and_taken_again_is_out_twice() -> None:
    steps = (
        made.run("node-01", Step.ADMIT, 10, 12),
        made.run("node-01", Step.PRECHECK, 13, 14, result="held"),
        made.run("node-01", Step.RELEASE, 15, 16),
        made.run("node-01", Step.ADMIT, 50, 52, try_number=2),
        made.run("node-01", Step.RELEASE, 60, 61, try_number=2),
    )
    document = build_report(made.facts(steps=steps, moves=()))
    assert [(e["t"], e["event"]) for e in document["trace"]["events"]] == [
        (12.0, "admit"), (16.0, "release"), (52.0, "admit"), (61.0, "release")
    ]  # fmt: skip
    assert document["nodes"][0]["wall_seconds"] == 13.0


def test_an_admission_that_was_refused_is_no_outage() -> None:
    steps = (
        made.run("node-01", Step.ADMIT, 10, None),
        made.run("node-01", Step.ADMIT, 20, 22, result="skipped", try_number=2),
        made.run("node-01", Step.RELEASE, 30, 31, result="skipped"),
    )
    document = build_report(made.facts(steps=steps, moves=()))
    assert document["trace"]["events"] == []
    assert document["nodes"][0]["wall_seconds"] is None
    assert document["nodes"][0]["out_of_service"] is False


def test_the_lease_of_a_killed_attempt_counts_from_the_time_that_was_noted() -> None:
    noted = {"leased_at": made.at(11).isoformat()}
    steps = (
        made.run("node-01", Step.ADMIT, 10, None),
        made.run("node-01", Step.ADMIT, 20, 22, try_number=2, details=noted),
        made.run("node-01", Step.RELEASE, 30, 31),
    )
    events = build_report(made.facts(steps=steps, moves=()))["trace"]["events"]
    assert [(e["t"], e["event"]) for e in events] == [(11.0, "admit"), (31.0, "release")]
