"""What the tests of leases share: a world whose node is out, and what Airflow says of its run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.steps.worlds import QuickLedger, World

from escalator.leases.known import find_known_leases
from escalator.model.known_lease import KnownLease
from escalator.model.run_life import RunLife

Look = Callable[[RunLife], KnownLease]


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(ledger=QuickLedger.at(tmp_path / "ledger.db"), opened=False)
    world.plan = replace(world.plan, installation=world.ledger.installation())
    world.open(world.plan)
    return world


@pytest.fixture
def look(world: World) -> Look:
    """Look whose lease the node has, when Airflow says this of every run."""

    def find(life: RunLife) -> KnownLease:
        (known,) = find_known_leases([world.service()], world.ledger, lambda _dag_id, _run_id: life)
        return known

    return find
