"""One reading of the ledger serves all who look within a second; rights are asked for each."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from tests.board.campaigns import record
from tests.plugins.board.conftest import DAG, NOW, READS, RUN, bearer, open_run

from escalator.ledger.ledger import Ledger
from escalator.model.errors import TransientError

pytestmark = pytest.mark.airflow


class Readings:
    """Reads as often as it is asked, and counts; ``error`` is raised instead."""

    def __init__(self) -> None:
        self.count, self.seconds, self.error = 0, 0.0, False

    def read(self, *_: Any) -> Any:
        self.count += 1
        time.sleep(self.seconds)
        if self.error:
            raise TransientError("the database is busy")
        return record()


@pytest.fixture
def world(airflow_home: Any) -> SimpleNamespace:
    from escalator_airflow.board.looks import SharedLooks

    del airflow_home
    found = SimpleNamespace(readings=Readings(), at=0.0)
    found.looks = SharedLooks(found.readings, clock=lambda: found.at)  # type: ignore[arg-type]
    return found


def test_who_looks_within_a_second_sees_the_same_look(world: Any) -> None:
    first = world.looks.look("d", "r", NOW)
    world.at = 0.9
    assert world.looks.look("d", "r", NOW + timedelta(seconds=0.9)) is first
    assert world.looks.look("d", "other", NOW) is not first
    world.at = 1.0
    assert world.looks.look("d", "r", NOW + timedelta(seconds=1)) is not first
    assert world.readings.count == 3


def test_ten_who_come_at_once_cost_one_reading(world: Any) -> None:
    world.readings.seconds = 0.05
    threads = [threading.Thread(target=world.looks.look, args=("d", "r", NOW)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.readings.count == 1


def test_what_could_not_be_read_is_read_again(world: Any) -> None:
    world.readings.error = True
    with pytest.raises(TransientError):
        world.looks.look("d", "r", NOW)
    world.readings.error = False
    assert world.looks.look("d", "r", NOW).made_at == NOW


def test_a_look_that_is_shared_is_shown_to_nobody_who_may_not_see_it(client: Any, ledger: Ledger) -> None:
    from escalator.board.record import BoardReader
    from escalator_airflow.board.looks import SharedLooks

    open_run(ledger, "node-01")
    state = client.app.state.board.state
    state.means = replace(state.means, looks=SharedLooks(BoardReader(), clock=lambda: 0.0))
    live = f"/escalator/board/{DAG}/{RUN}/live"
    assert client.get(live, headers=bearer(READS)).status_code == 200
    assert client.get(live, headers=bearer("nobody")).status_code == 403
    assert client.get(live).status_code == 401
