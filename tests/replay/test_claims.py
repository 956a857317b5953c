from typing import Any

import pytest
from tests.builders import DOMAIN
from tests.replay.worlds import (
    CLEAN,
    SNAPSHOT,
    Document,
    cloud,
    codes,
    judge,
    move,
    node,
    on,
    server,
    trace,
    upgrade,
    without,
)

from escalator.model.cloud import ResourceInventory
from escalator.model.errors import InvalidRequestError
from escalator.replay import ReplayOptions, check_trace
from escalator.replay import ViolationCode as V

# --- claims and bounds


@pytest.mark.parametrize(
    "claim",
    [
        {"moves": 3},
        {"standby_moves": 1},
        {"switchovers": 0},
        {"makespan_seconds": 2793.0},
        {"moves_lower_bound": 4},
        {"makespan_lower_bound_seconds": 1e9},
        {"upgraded": ["n1", "n2"]},
        {"moves": None},
        {"moves": True},
    ],
)
def test_a_result_that_the_events_do_not_bear_out(claim: dict[str, Any]) -> None:
    report = judge(CLEAN, **claim)
    assert codes(report) == {V.RESULT_MISMATCH}
    assert next(iter(claim)) in report.violations[0].message


def test_a_node_that_is_said_to_be_held_and_was_upgraded() -> None:
    assert codes(judge(CLEAN, held={"n3": "capacity"})) == {V.RESULT_MISMATCH}


def test_a_bound_may_be_claimed_lower_than_it_is() -> None:
    assert judge(CLEAN, moves_lower_bound=2, makespan_lower_bound_seconds=0).clean


def test_the_digest_of_the_snapshot() -> None:
    document = trace(CLEAN) | {"snapshot_sha256": "a"}
    assert check_trace(SNAPSHOT, document, ReplayOptions(snapshot_sha256="a")).clean
    assert codes(check_trace(SNAPSHOT, document, ReplayOptions(snapshot_sha256="b"))) == {V.SNAPSHOT_MISMATCH}


@pytest.mark.parametrize(
    ("more", "bound"),
    [({}, 8), ({"empty": node("empty")}, 6), ({"spare": node("spare", target=False)}, 6)],
)
def test_the_bound_of_moves_counts_the_first_node_twice_unless_there_is_room(
    more: dict[str, Any], bound: int
) -> None:
    servers = [server(f"{h}-{n}", h) for h, count in (("n1", 4), ("n2", 2)) for n in range(count)]
    snapshot = cloud(node("n1"), node("n2"), *more.values(), servers=servers)
    clear = [*move(1, 5, "n2-0", "n2", "n1"), *move(6, 9, "n2-1", "n2", "n1")]
    back = [
        event
        for n, name in enumerate((*(s.id for s in servers),))
        for event in move(1000 + n, 1001 + n, name, "n1", "n2")
    ]
    first = [*upgrade("empty", 0)] if "empty" in more else []
    head = [on(0, "admit", "empty")] if first else []
    events = [
        *head,
        *[e | {"t": 0} for e in first],
        on(0, "admit", "n2"),
        *clear,
        *upgrade("n2"),
        on(960, "admit", "n1"),
        *back,
        *upgrade("n1", 2000),
    ]
    report = judge(events, snapshot=snapshot)
    assert report.violations == ()
    assert report.facts.moves_lower_bound == bound


def test_the_bound_of_the_makespan_from_given_durations() -> None:
    options = ReplayOptions(
        upgrade_seconds=100.0,
        migration_fixed_seconds=8.0,
        migration_seconds_per_gib=1.0,
        concurrent_migrations=1,
    )
    facts = judge(CLEAN, options=options).facts
    # n1: two moves of 4 GiB; n2: none; n3: one; one at a time
    assert facts.makespan_lower_bound_seconds == pytest.approx(3 * 100 + 3 * 12)


def test_the_bound_of_the_makespan_counts_second_moves_that_cannot_be_helped() -> None:
    nodes = [node(f"n{n}") for n in range(2)]
    snapshot = cloud(*nodes, servers=[server("a", "n0"), server("b", "n1"), server("c", "n1")])
    events = [on(0, "admit", "n0"), *move(1, 13, "a", "n0", "n1"), *upgrade("n0", 20)]
    events += [on(1000, "admit", "n1")]
    for number, name in enumerate("abc"):
        events += move(1001 + 20 * number, 1013 + 20 * number, name, "n1", "n0")
    events += upgrade("n1", 1100)
    report = judge(events, snapshot=snapshot)
    assert report.violations == ()
    # each upgrade 900 s; three servers once and that of n0 again, 12 s each
    assert report.facts.makespan_lower_bound_seconds == pytest.approx(2 * 900 + (3 + 1) * 12)


@pytest.mark.parametrize(("first", "later", "at_once"), [(12.0, 12.0, 3), (60.0, 5.0, 1)])
def test_what_was_measured_is_never_below_the_bound(first: float, later: float, at_once: int) -> None:
    snapshot = cloud(*map(node, ("n0", "n1")), servers=[server("a", "n0"), *(server(s, "n1") for s in "bc")])
    events = [on(0, "admit", "n0"), *move(0, first, "a", "n0", "n1"), *upgrade("n0", first)]
    t = first + 901
    moves = [
        event
        for number, name in enumerate("abc")
        for event in move(
            t + number // at_once * later, t + (number // at_once + 1) * later, name, "n1", "n0"
        )
    ]
    events += [on(t, "admit", "n1"), *sorted(moves, key=lambda event: event["t"])]
    events += upgrade("n1", events[-1]["t"])
    report = judge(events, snapshot=snapshot)
    assert report.violations == ()
    assert report.facts.makespan_lower_bound_seconds <= report.facts.makespan_seconds


def test_the_bound_of_the_makespan_by_free_capacity() -> None:
    room = {"MEMORY_MB": ResourceInventory(total=5120)}
    small = {"MEMORY_MB": 4096}
    nodes = [node(f"n{n}", inventory=room) for n in range(4)]
    servers = [server(f"s{n}", f"n{n}", resources=small) for n in range(1, 4)]
    snapshot = cloud(*nodes, servers=servers)
    events = [on(0, "admit", "n0"), *upgrade("n0", 0)]
    t = 1000.0
    for n in range(1, 4):
        events += [
            on(t, "admit", f"n{n}"),
            *move(t + 1, t + 2, f"s{n}", f"n{n}", f"n{n - 1}"),
            *upgrade(f"n{n}", t + 3),
        ]
        t += 1000
    options = ReplayOptions(upgrade_seconds=900.0, migration_fixed_seconds=1.0)
    facts = judge(events, snapshot=snapshot, options=options, parallel=4).facts
    used = 3 * 4096 / (4 * 5120)
    assert facts.makespan_lower_bound_seconds == pytest.approx(900 / (1 - used))


def test_servers_that_are_stuck() -> None:
    facts = judge(CLEAN[:-5], held={"n3": "no capacity"}).facts
    assert (facts.stuck, facts.upgraded, facts.held) == (1, ("n1", "n2"), ("n3",))


# --- documents


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"schema": "escalator.trace/2"}, "schema"),
        ({"max_parallel": 0}, "max_parallel"),
        ({"events": {}}, "events"),
        ({"events": [{"t": 0, "event": "explode"}]}, "explode"),
        ({"events": [{"t": "soon", "event": "admit", "host": "n1"}]}, "events[0].t"),
        ({"events": [{"t": float("nan"), "event": "admit", "host": "n1"}]}, "events[0].t"),
        ({"events": [{"t": 0, "event": "admit"}]}, "events[0].host"),
        ({"events": [move(0, 1, "web", "n1", "n2", "warp")[0]]}, "kind"),
        ({"result": []}, "result"),
        ({"result": {"upgraded": [1], "held": []}}, "upgraded"),
        ({"result": {"upgraded": [], "held": ["n1"]}}, "held[0]"),
    ],
)
def test_what_is_no_trace_is_refused(change: Document, word: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"fault") as caught:
        check_trace(SNAPSHOT, trace(CLEAN) | change)
    assert word in caught.value.message


def test_a_violation_says_when_what_and_how() -> None:
    text = str(judge(without(9)).violations[0])
    assert text == "t=944.0 server pin: is stopped when node n1 is released [not_started_again]"
    assert DOMAIN in str(judge([*CLEAN[:2], *move(2, 20, "web", "n1", "far"), *CLEAN[4:]]).violations[0])
