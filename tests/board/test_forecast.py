from __future__ import annotations

from datetime import timedelta

from tests.board.campaigns import HOSTS, at, record, step
from tests.builders import NOW, make_plan

from escalator.board.build import build_board
from escalator.board.record import Background, Departure
from escalator.model.campaign import LedgerView, NodeProgress, NodeState, Step

HOUR = 3600.0


def background(*, seconds: float = 100.0) -> Background:
    departures = {
        host: Departure(starts_at=seconds * index, ends_at=seconds * (index + 1), reason="its turn")
        for index, host in enumerate(HOSTS)
    }
    return Background(departures=departures, makespan_seconds=seconds * len(HOSTS))


def of(done: int, *, took: float) -> LedgerView:
    """Make a view in which so many nodes are done, each of which took so many seconds."""
    released = [
        NodeProgress(host=host, state=NodeState.RELEASED, since=at(took * (index + 1)))
        for index, host in enumerate(HOSTS[:done])
    ]
    return LedgerView(nodes=(*released, *(NodeProgress(host=host) for host in HOSTS[done:])))


def expected(done: int, took: float, now: float) -> tuple[float, float, float, int]:
    steps = tuple(step(h, Step.PRECHECK, took * i, took * i + 1) for i, h in enumerate(HOSTS[:done]))
    made = build_board(record(view=of(done, took=took), steps=steps, background=background()), at(now))
    found = made.campaign.forecast
    assert found is not None
    ends = [(moment - NOW).total_seconds() for moment in (found.expected, found.earliest, found.latest)]
    return ends[0], ends[1], ends[2], found.nodes


def test_before_the_first_node_the_plan_counts() -> None:
    end, earliest, latest, nodes = expected(0, took=0, now=0)
    assert (end, earliest, nodes) == (400, 400, 0)
    assert latest > 900  # its steps may all be as slow as one in ten


def test_three_nodes_tell_how_fast_the_rest_is() -> None:
    assert expected(3, took=200, now=600) == (800, 800, 800, 3)


def test_a_node_that_is_out_takes_what_is_left_of_its_time() -> None:
    nodes = (NodeProgress(host="node-01", state=NodeState.UPGRADING, since=NOW),)
    known = record(
        plan=make_plan("node-01"),
        view=LedgerView(nodes=nodes),
        steps=(step("node-01", Step.PRECHECK, 0, 1),),
        background=background(seconds=100),
    )

    def find(seconds: float) -> timedelta:
        forecast = build_board(known, at(seconds)).campaign.forecast
        assert forecast is not None
        return forecast.expected - at(seconds)

    assert find(0) / find(50) == 2.0
    assert find(500) > timedelta(0)  # one that is late is not done


def test_nothing_is_expected_of_a_campaign_that_rests() -> None:
    done = LedgerView(nodes=tuple(NodeProgress(host=h, state=NodeState.RELEASED, since=NOW) for h in HOSTS))
    assert build_board(record(view=done, background=background()), at(5)).campaign.forecast is None
