"""What the tests share: the order of the slow ones, one lab, one Airflow beside it."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from escalator.lab.lab import Lab
    from tests.campaigns.harness import Harness

ROOT = Path(__file__).resolve().parents[1]

SLOWNESS = ("airflow", "lab", "stack", "wide")
INSTANCES = {"stack": 9, "lab": 8}
"""Piece of work -> the lab and the Airflow that its tests start."""
CHOSEN_LAB = "ESCALATOR_TEST_LAB"
_INSTANCE = pytest.StashKey[int]()
UNHURRIED = {"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "25"}
"""The DAGs change once in all tests: reading them again costs more than waiting for that once."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what tells soonest first: pure, then Airflow, then the lab, then whole campaigns."""
    items.sort(key=_slowness)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Let campaigns and what else needs a lab go on side by side."""
    return SideBySide(config, log)


class SideBySide(LoadScopeScheduling):  # type: ignore[misc]  # xdist is typed in part
    """Campaigns are one piece of work, what else needs a lab another one, every other test one of its own.

    Two campaigns at once are more than two cores carry: their steps would miss their deadlines.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _piece(nodeid) or nodeid


def _piece(nodeid: str) -> str | None:
    """Return the piece of work that a test belongs to; None when it needs neither a lab nor a scheduler."""
    marks = _marks(nodeid.partition("::")[0])
    if marks.isdisjoint(INSTANCES):
        return None
    return "lab" if "stack" not in marks and CHOSEN_LAB not in os.environ else "stack"


@cache
def _marks(module: str) -> frozenset[str]:
    """Return the marks that a module names; the process that shares out the tests does not collect them."""
    return frozenset(re.findall(r"pytest\.mark\.(\w+)", (ROOT / module).read_text(encoding="utf-8")))


def _slowness(item: pytest.Item) -> int:
    return max((SLOWNESS.index(mark) + 1 for mark in SLOWNESS if item.get_closest_marker(mark)), default=0)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note whose lab it is that the first test that needs one starts."""
    piece = _piece(item.nodeid)
    if piece is not None:
        item.config.stash.setdefault(_INSTANCE, INSTANCES[piece])


@pytest.fixture(scope="session")
def own_instance(pytestconfig: pytest.Config) -> int:
    """The number of the lab and the Airflow that these tests start: of no other tests, whoever runs them."""
    return pytestconfig.stash[_INSTANCE]


@pytest.fixture(scope="session")
def lab(own_instance: int) -> Iterator[Lab]:
    """A running lab: the instance that ESCALATOR_TEST_LAB names, or one of our own."""
    from escalator.lab.lab import Lab
    from escalator.lab.progress import Progress
    from escalator.lab.settings import LabSettings

    chosen = os.environ.get(CHOSEN_LAB)
    if chosen is not None:
        yield Lab(LabSettings.from_environment({**os.environ, "ESCALATOR_LAB_INSTANCE": chosen}))
        return
    environment = {**os.environ, "ESCALATOR_LAB_INSTANCE": str(own_instance)}
    own = Lab(LabSettings.from_environment(environment, servers=0), progress=Progress())
    try:
        own.up()
        yield own
    finally:
        own.down()


@pytest.fixture(scope="session")
def harness(lab: Lab, own_instance: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    """The lab with an Airflow beside it that knows it."""
    from escalator.airflow_stack.settings import default_home
    from escalator.airflow_stack.stack import AirflowStack
    from escalator.demo.world import World
    from escalator.lab.progress import Progress
    from tests.campaigns.harness import Harness

    folder = tmp_path_factory.mktemp("world")
    bundles = Path(shutil.copytree(ROOT / "include" / "bundles", folder / "bundles"))
    (bundles / "unreadable.yaml").write_text("schema: escalator.bundle/1\nname: [")
    world = World(
        lab=lab,
        folder=folder,
        stack_home=default_home(os.environ),
        instance=own_instance,
        checkout=ROOT,
        bundle_dir=bundles,
        heartbeat_timeout_seconds=10,
    )
    world.write_inventory()
    settings = world.stack(Progress()).settings
    stack = AirflowStack(replace(settings, extra_env={**settings.extra_env, **UNHURRIED}))
    stack.down(wipe=True)
    try:
        stack.up()
        world.connect_airflow(stack)
        with stack.client() as client:
            yield Harness(world=world, stack=stack, client=client)
    finally:
        stack.down(wipe="ESCALATOR_KEEP" not in os.environ)
