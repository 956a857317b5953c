from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.steps.fake_records import START

from escalator.model.cloud import Migration, MigrationStatus
from escalator.model.moves import MoveMethod, PlannedMove
from escalator.model.verdict import Code
from escalator.steps.moving.flights import (
    ABORTS_WITHIN,
    APPEARS_WITHIN,
    QUEUED_FOR,
    Flight,
    FlightState,
    can_abort,
)

LIMIT = timedelta(seconds=900)
SECOND = timedelta(seconds=1)
WAYS = {
    MigrationStatus.FINISHED: FlightState.CONFIRM,
    MigrationStatus.COMPLETED: FlightState.ARRIVED,
    MigrationStatus.CONFIRMED: FlightState.ARRIVED,
    MigrationStatus.DONE: FlightState.ARRIVED,
    MigrationStatus.ERROR: FlightState.FAILED,
    MigrationStatus.FAILED: FlightState.FAILED,
    MigrationStatus.CANCELLED: FlightState.FAILED,
    MigrationStatus.REVERTED: FlightState.FAILED,
}


def move(method: MoveMethod = MoveMethod.LIVE) -> PlannedMove:
    return PlannedMove(server_id="web", server_name="web-1", method=method, destinations=("node-02",))


def migration(status: MigrationStatus = MigrationStatus.RUNNING, **fields: Any) -> Migration:
    base: dict[str, Any] = {
        "id": 7,
        "uuid": "u-7",
        "server_id": "web",
        "type": "live-migration",
        "status": status,
        "source_host": "node-01",
        "dest_host": "node-02",
        "created_at": START,
    }
    return Migration(**{**base, **fields})


def flight(status: MigrationStatus | None = None, **fields: Any) -> Flight:
    queued = status in {None, MigrationStatus.ACCEPTED, MigrationStatus.QUEUED}
    base: dict[str, Any] = {
        "move": move(),
        "source": "node-01",
        "destination": "node-02",
        "started_at": START,
        "after_id": 3,
        "migration": migration(status) if status else None,
        "running_since": None if queued else START,
    }
    return Flight(**{**base, **fields})


@pytest.mark.parametrize("status", list(MigrationStatus))
def test_every_status_has_its_way(status: MigrationStatus) -> None:
    wanted = WAYS.get(status, FlightState.FLYING)
    assert flight(status).state(START + SECOND, LIMIT) is wanted


@pytest.mark.parametrize("status", [s for s in MigrationStatus if s.unfinished and s not in WAYS])
def test_what_takes_longer_than_the_limit_is_late(status: MigrationStatus) -> None:
    made = flight(status)
    limit = LIMIT if made.running_since else QUEUED_FOR * LIMIT  # the queue has its time before
    assert made.state(START + limit, LIMIT) is FlightState.FLYING
    assert made.state(START + limit + SECOND, LIMIT) is FlightState.LATE


def test_the_time_of_a_migration_runs_from_when_it_left_the_queue() -> None:
    queued = flight().seen([migration(MigrationStatus.QUEUED)], START + LIMIT)
    assert queued.running_since is None
    running = queued.seen([migration(MigrationStatus.PREPARING)], START + 2 * LIMIT)
    assert running.running_since == START + 2 * LIMIT
    later = running.seen([migration(MigrationStatus.RUNNING)], START + 3 * LIMIT)
    assert later.running_since == START + 2 * LIMIT


@pytest.mark.parametrize("status", WAYS)
def test_what_has_ended_is_never_late(status: MigrationStatus) -> None:
    assert flight(status).state(START + 9 * LIMIT, LIMIT) is WAYS[status]


def test_a_request_without_a_record_is_lost_after_a_while() -> None:
    assert flight().state(START + APPEARS_WITHIN, LIMIT) is FlightState.FLYING
    assert flight().state(START + APPEARS_WITHIN + SECOND, LIMIT) is FlightState.LOST


def test_a_migration_that_is_not_on_record_any_more_is_lost() -> None:
    """So are those of a server that was deleted."""
    gone = flight(MigrationStatus.RUNNING).seen([migration(server_id="db")], START)
    assert gone.state(START, LIMIT) is FlightState.LOST
    assert gone.seen([migration()], START).state(START, LIMIT) is FlightState.FLYING


def test_what_brings_the_server_here_is_not_its_own() -> None:
    back = migration(id=9, source_host="node-02", dest_host="node-01")
    assert flight().seen([back], START).migration is None
    assert flight(source="node-02").seen([back], START).migration == back


def test_what_is_left_alone_is_no_failure() -> None:
    record = flight(MigrationStatus.ERROR).record(START, FlightState.FAILED, left_alone="it was deleted")
    assert (record.succeeded, record.code, record.message) == (False, None, "it was deleted")


def test_an_abort_that_does_not_help_is_stuck() -> None:
    aborted = flight(MigrationStatus.RUNNING, aborted_at=START + LIMIT)
    assert aborted.state(START + LIMIT + ABORTS_WITHIN, LIMIT) is FlightState.FLYING
    assert aborted.state(START + LIMIT + ABORTS_WITHIN + SECOND, LIMIT) is FlightState.STUCK


@pytest.mark.parametrize("status", [MigrationStatus.FINISHED, MigrationStatus.CONFIRMING])
def test_a_confirmation_has_the_limit_from_when_it_was_asked_for(status: MigrationStatus) -> None:
    asked = START + 5 * LIMIT
    confirmed = flight(status, move=move(MoveMethod.COLD), confirmed_at=asked)
    assert confirmed.state(asked + LIMIT, LIMIT) is FlightState.FLYING
    assert confirmed.state(asked + LIMIT + SECOND, LIMIT) is FlightState.LATE


def test_a_confirmation_that_is_refused_is_asked_for_again_until_the_limit() -> None:
    refused = flight(MigrationStatus.FINISHED, move=move(MoveMethod.COLD), refused_at=START)
    assert refused.state(START + LIMIT, LIMIT) is FlightState.CONFIRM
    assert refused.state(START + LIMIT + SECOND, LIMIT) is FlightState.LATE


def test_only_its_own_newest_migration_is_seen() -> None:
    others = (
        migration(id=3, uuid="before"),
        migration(id=5, uuid="first"),
        migration(id=9, uuid="newest", dest_host="node-03"),
        migration(id=11, uuid="other", server_id="db"),
    )
    seen = flight().seen(others, START)
    assert seen.migration == others[2]
    assert seen.destination == "node-03"
    assert flight().seen(others[:1], START) == flight()
    undecided = flight().seen([migration(dest_host=None)], START)
    assert undecided.destination == "node-02"


@pytest.mark.parametrize(
    ("made", "state", "code", "words"),
    [
        (flight(MigrationStatus.COMPLETED), FlightState.ARRIVED, None, ""),
        (flight(MigrationStatus.ERROR), FlightState.FAILED, Code.MIGRATION_FAILED, "ended in status error"),
        (flight(), FlightState.LOST, Code.MIGRATION_FAILED, "no record"),
        (flight(MigrationStatus.RUNNING), FlightState.STUCK, Code.MIGRATION_HUNG, "took too long"),
        (
            flight(MigrationStatus.CANCELLED, aborted_at=START),
            FlightState.FAILED,
            Code.MIGRATION_HUNG,
            "took too long",
        ),
    ],
)
def test_record_says_how_it_ended(made: Flight, state: FlightState, code: Code | None, words: str) -> None:
    record = made.record(START + SECOND, state)
    assert (record.succeeded, record.code) == (state is FlightState.ARRIVED, code)
    assert words in record.message
    assert (record.from_host, record.to_host, record.server_name) == ("node-01", "node-02", "web-1")
    assert record.migration == ("u-7" if made.migration else None)


@pytest.mark.parametrize(
    ("told", "ended"),
    [
        (START + 2 * SECOND, START + 2 * SECOND),
        (START - SECOND, START + 5 * SECOND),
        (START + 9 * SECOND, START + 5 * SECOND),
        (None, START + 5 * SECOND),
    ],
)
def test_it_ended_when_nova_wrote_it_last(told: datetime | None, ended: datetime) -> None:
    made = flight(migration=migration(MigrationStatus.COMPLETED, updated_at=told))
    assert made.record(START + 5 * SECOND, FlightState.ARRIVED).ended_at == ended


def test_only_live_migrations_on_record_can_be_aborted() -> None:
    running = flight(MigrationStatus.RUNNING)
    assert can_abort(running)
    assert not can_abort(flight())
    assert not can_abort(replace(running, move=move(MoveMethod.COLD)))
