from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from tests.steps.worlds import World

from escalator.model.campaign import Step
from escalator.model.errors import ConflictError, RateLimitedError, TransientError
from escalator.steps.running.patience import LONGEST_PAUSE_SECONDS, TOLERATED, Patience

MINUTE = timedelta(minutes=1)


@pytest.fixture
def patience(world: World) -> Patience:
    return Patience(ctx=world.begin(Step.PRECHECK))


def away_for(world: World, time: timedelta, *, asks_for: float | None = None) -> list[float]:
    """Let the cloud be away; return when it is asked (s)."""
    began, asked = world.clock.now, []

    def refuse(_method: str) -> None:
        asked.append((world.clock.now - began).total_seconds())
        if world.clock.now - began < time:
            raise RateLimitedError("HTTP 429", retry_after_seconds=asks_for)

    world.cloud.before = refuse
    return asked


def test_some_minutes_are_tolerated_and_told(world: World, patience: Patience) -> None:
    asked = away_for(world, 5 * MINUTE)
    assert len(patience.ask(world.cloud.fetch_services)) == 3
    gaps = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == LONGEST_PAUSE_SECONDS
    assert 5 * MINUTE <= patience.away < 7 * MINUTE
    patience.ask(world.cloud.fetch_services)
    assert patience.away < 7 * MINUTE


def test_after_ten_minutes_the_error_goes_on(world: World, patience: Patience) -> None:
    asked = away_for(world, timedelta(days=1))
    with pytest.raises(TransientError):
        patience.ask(world.cloud.fetch_services)
    assert asked[-1] == TOLERATED.total_seconds()


@pytest.mark.parametrize(("asks_for", "second"), [(90.0, 90.0), (1.0, 2.0), (3600.0, 600.0)])
def test_it_waits_as_long_as_it_is_asked_to(
    world: World, patience: Patience, asks_for: float, second: float
) -> None:
    asked = away_for(world, MINUTE, asks_for=asks_for)
    patience.ask(world.cloud.fetch_services)
    assert asked[1] == second


def test_other_errors_are_not_its_own(world: World, patience: Patience) -> None:
    world.cloud.errors["fetch_services"] = [ConflictError("HTTP 409")]
    with pytest.raises(ConflictError):
        patience.ask(world.cloud.fetch_services)
