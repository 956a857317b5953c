from __future__ import annotations

import pytest

from escalator.steps.moving.pace import LONGEST_GAP_SECONDS, DrainPace


@pytest.mark.parametrize(("expected", "first"), [(0.0, 0.7), (10.0, 10.7), (58.0, 58.7), (282.0, 60.0)])
def test_the_first_poll_comes_when_a_move_may_be_over_and_within_a_minute(
    expected: float, first: float
) -> None:
    assert DrainPace().first_poll(expected) == pytest.approx(first)
    assert DrainPace(slowness=5.0).first_poll(expected) <= LONGEST_GAP_SECONDS
