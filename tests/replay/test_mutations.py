"""Whatever is wrong with a clean trace is found."""

from __future__ import annotations

import copy

from hypothesis import given
from hypothesis import strategies as st
from tests.replay.worlds import CLEAN, SNAPSHOT, Document, trace

from escalator.replay import ViolationCode, check_trace

WHOLE = trace(CLEAN)
INDICES = st.integers(0, len(CLEAN) - 1)
RELEASE = next(i for i, event in enumerate(CLEAN) if event["event"] == "release")
MOVES = [i for i, event in enumerate(CLEAN) if event["event"] == "move_start"]


def caught(events: list[Document]) -> bool:
    """Judge changed events under the result of the whole trace."""
    return not check_trace(SNAPSHOT, WHOLE | {"events": events}).clean


@given(INDICES)
def test_an_event_that_is_missing(index: int) -> None:
    assert caught([event for i, event in enumerate(CLEAN) if i != index])


@given(INDICES)
def test_an_event_that_comes_twice(index: int) -> None:
    assert caught([*CLEAN[: index + 1], CLEAN[index], *CLEAN[index + 1 :]])


@given(INDICES, st.integers(1, 20))
def test_an_event_whose_time_is_not_in_order(index: int, places: int) -> None:
    events = [dict(event) for event in CLEAN]
    other = (index + places) % len(events)
    if other != index:
        events[index]["t"], events[other]["t"] = events[other]["t"], events[index]["t"]
        assert caught(events)


@given(st.sampled_from(MOVES), st.sampled_from(["far", "shut", "nowhere"]))
def test_a_move_that_goes_where_it_must_not(index: int, to: str) -> None:
    events = copy.deepcopy(list(CLEAN))
    events[index]["to"] = events[index + 1]["to"] = to
    assert caught(events)


@given(INDICES, st.sampled_from(["host", "server", "ha_group", "from", "to"]))
def test_a_name_that_is_wrong(index: int, key: str) -> None:
    events = copy.deepcopy(list(CLEAN))
    if key in events[index]:
        events[index][key] = "nobody"
        assert caught(events)


@given(st.integers(0, RELEASE - 1))
def test_an_event_of_a_node_that_comes_after_its_release(index: int) -> None:
    events = [*CLEAN[:index], *CLEAN[index + 1 : RELEASE + 1], CLEAN[index], *CLEAN[RELEASE + 1 :]]
    late = [event | {"t": float(n)} for n, event in enumerate(events)]
    report = check_trace(SNAPSHOT, WHOLE | {"events": late})
    assert {v.code for v in report.violations} - {ViolationCode.RESULT_MISMATCH}
