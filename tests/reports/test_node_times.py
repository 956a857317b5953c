"""When nodes were out, by the attempts at their steps."""

from __future__ import annotations

from tests.reports.campaigns import at, run

from escalator.model.campaign import Step
from escalator.reports.node_times import find_outages, measure

TAKEN = run("node-01", Step.ADMIT, 10, 12)


def test_a_node_is_out_until_it_was_given_back_whoever_of_two_attempts_was_cut_off_after_that() -> None:
    """Masakari did not answer after the node was enabled: the next attempt finds that, a quarter later."""
    cut_off = run("node-01", Step.RELEASE, 50, 52, result="failed", code="cloud_unreachable")
    found = {"released_at": at(51).isoformat()}
    again = run("node-01", Step.RELEASE, 950, 951, result="skipped", try_number=2, details=found)
    (outage,) = find_outages((TAKEN, cut_off, again))
    assert (outage.start, outage.end) == (at(12), at(51))
    times = measure((TAKEN, cut_off, again), (), at(1000))
    assert (times.wall_seconds, times.parked_seconds) == (39.0, 0.0)


def test_a_time_before_the_lease_is_none_of_its_end() -> None:
    found = {"released_at": at(5).isoformat()}
    (outage,) = find_outages((TAKEN, run("node-01", Step.RELEASE, 50, 52, details=found)))
    assert outage.end == at(52)
