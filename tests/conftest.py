"""What the tests share: the order of the slow ones, one lab, one Airflow beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

SLOWNESS = ("airflow", "lab", "stack")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what tells soonest first: pure, then Airflow, then the lab, then whole campaigns."""
    items.sort(
        key=lambda item: max(
            (SLOWNESS.index(m) + 1 for m in SLOWNESS if item.get_closest_marker(m)), default=0
        )
    )


@pytest.fixture(scope="session")
def harness(lab: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """The lab with an Airflow beside it that knows it."""
    from escalator.airflow_stack.settings import default_home
    from escalator.demo.world import World
    from escalator.lab.progress import Progress
    from tests.campaigns.harness import Harness

    world = World(
        lab=lab,  # type: ignore[arg-type]
        folder=tmp_path_factory.mktemp("world"),
        stack_home=default_home(os.environ),
        instance=9,
        checkout=Path(__file__).resolve().parents[1],
        heartbeat_timeout_seconds=10,
    )
    world.write_inventory()
    stack = world.stack(Progress())
    stack.down(wipe=True)
    try:
        stack.up()
        world.connect_airflow(stack)
        with stack.client() as client:
            yield Harness(world=world, stack=stack, client=client)
    finally:
        stack.down(wipe="ESCALATOR_KEEP" not in os.environ)
