"""Stops: what the ledger says of a server that was stopped for its node's upgrade."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.builders import NOW

from escalator.model.stops import RUNNING, ServerStop, StopEnd

NOTED = ServerStop(server_id="s", server_name="s", power_state=RUNNING, noted_at=NOW)
ASKED = replace(NOTED, asked_at=NOW + timedelta(seconds=1))


def test_only_what_nova_was_asked_to_stop_is_ours_to_start() -> None:
    assert (NOTED.is_open, NOTED.is_down) == (True, False)
    assert (ASKED.is_open, ASKED.is_down) == (True, True)
    ended = replace(ASKED, ended_at=NOW + timedelta(seconds=61), end=StopEnd.RUNS)
    assert (ended.is_open, ended.is_down) == (False, False)


def test_it_is_silent_from_the_stop_until_it_runs() -> None:
    assert NOTED.silent_seconds is None
    assert ASKED.silent_seconds is None
    ended = replace(ASKED, ended_at=NOW + timedelta(seconds=61), end=StopEnd.RUNS)
    assert ended.silent_seconds == 60.0
    assert replace(ended, end=StopEnd.NOT_OURS).silent_seconds is None
