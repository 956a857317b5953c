from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from escalator.model.boot import Boot, SystemState

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


def test_a_boot_began_by_the_clock_of_who_read_it() -> None:
    assert Boot(boot_id="b", up_seconds=90.0).began(NOW) == NOW - timedelta(seconds=90)


@pytest.mark.parametrize("state", list(SystemState))
def test_only_a_system_that_is_being_started_is_coming_up(state: SystemState) -> None:
    assert state.is_coming_up is (state in {SystemState.INITIALIZING, SystemState.STARTING})
