"""What the tests share: the order of the slow ones, one lab, one Airflow beside it."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from escalator.lab.lab import Lab
    from tests.campaigns.harness import Harness

ROOT = Path(__file__).resolve().parents[1]

SLOWNESS = ("airflow", "lab", "stack", "wide", "ends_lab")
INSTANCES = {"stack": 9, "lab": 8}
"""Piece of work -> the lab and the Airflow that its tests start."""
SHAPES = {"stack": {"nodes": 4}, "lab": {"nodes": 8, "zones": 2}}
"""Piece of work -> what its lab is like."""
PROOF_SHAPE = {"nodes": 6}
CHOSEN_LAB = "ESCALATOR_TEST_LAB"
REAL_GUESTS = int(os.environ.get("ESCALATOR_TEST_REAL_GUESTS", "4"))
"""The lab, and the Airflow, of tests with real guests."""
_PIECE = pytest.StashKey[str]()

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
"""No example has to be quick: a computer that is busy with other tests is no fault of what is tested."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the proofs be asked for."""
    parser.addoption("--proof", action="store_true", help="run the proofs, which are long, and nothing else")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run what tells soonest first: pure, then Airflow, then the lab, then whole campaigns."""
    proofs: bool = config.getoption("--proof")
    other = [item for item in items if (item.get_closest_marker("proof") is not None) != proofs]
    if other:
        config.hook.pytest_deselected(items=other)
        items[:] = [item for item in items if item not in set(other)]
    items.sort(key=_slowness)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Let campaigns and what else needs a lab go on side by side."""
    return SideBySide(config, log)


class SideBySide(LoadScopeScheduling):  # type: ignore[misc]  # xdist is typed in part
    """The campaigns on the smaller lab are one piece of work, what else needs a lab or an Airflow another.

    Every other test is a piece of its own. A campaign waits much of the time: these two pieces one after the
    other would leave half the machine idle.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _piece(nodeid) or nodeid


def _piece(nodeid: str) -> str | None:
    """Return the piece of work that a test belongs to; None when it needs neither a lab nor a scheduler."""
    marks = _marks(nodeid.partition("::")[0])
    if marks.isdisjoint(INSTANCES):
        return None
    is_campaign = {"lab", "stack"} <= marks and "wide" not in marks
    return "stack" if is_campaign or CHOSEN_LAB in os.environ else "lab"


@cache
def _marks(module: str) -> frozenset[str]:
    """Return the marks that a module names; the process that shares out the tests does not collect them."""
    return frozenset(re.findall(r"pytest\.mark\.(\w+)", (ROOT / module).read_text(encoding="utf-8")))


def _slowness(item: pytest.Item) -> int:
    """Return a place in the order; who brings up a lab of real guests does before the shared lab is there."""
    if item.get_closest_marker("real_guests") is not None:
        return SLOWNESS.index("lab") + 1
    return max((SLOWNESS.index(mark) + 1 for mark in SLOWNESS if item.get_closest_marker(mark)), default=0)


@cache
def _why_no_lab() -> str:
    """Return the sentence that says what a lab lacks here; empty where there can be one."""
    from escalator.lab.errors import LabError
    from escalator.lab.machine.possible import Computer, check_rights

    try:
        check_rights(Computer.this())
    except LabError as impossible:
        return impossible.message
    return ""


@cache
def _why_no_real_guests() -> str:
    """Return the sentence that says what a lab with real guests lacks here; empty where there can be one."""
    from escalator.lab.errors import LabError
    from escalator.lab.real_guests import RealGuests
    from escalator.lab.settings import Hypervisor, LabSettings, NovaForm

    environment = {**os.environ, "ESCALATOR_LAB_INSTANCE": str(REAL_GUESTS)}
    kind = {"nova": NovaForm.PACKAGE, "hypervisor": Hypervisor.QEMU}
    try:
        RealGuests(settings=LabSettings.from_environment(environment, **kind)).check_possible()
    except LabError as impossible:
        return impossible.message
    return ""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a lab where there can be none; note for which piece of work the first one starts it."""
    if item.get_closest_marker("lab") is not None and (why := _why_no_lab()):
        pytest.skip(why)
    if item.get_closest_marker("real_guests") is not None and (why := _why_no_real_guests()):
        pytest.skip(why)
    piece = _piece(item.nodeid)
    if piece is not None:
        item.config.stash.setdefault(_PIECE, piece)


@pytest.fixture(scope="session")
def own_instance(pytestconfig: pytest.Config) -> int:
    """The number of the lab and the Airflow that these tests start: of no other tests, whoever runs them."""
    return INSTANCES[pytestconfig.stash[_PIECE]]


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config, own_instance: int) -> Iterator[Lab]:
    """A running lab: the instance that ESCALATOR_TEST_LAB names, or one of our own."""
    from escalator.lab.lab import Lab
    from escalator.lab.progress import Progress
    from escalator.lab.settings import LabSettings

    chosen = os.environ.get(CHOSEN_LAB)
    if chosen is not None:
        yield Lab(LabSettings.from_environment({**os.environ, "ESCALATOR_LAB_INSTANCE": chosen}))
        return
    environment = {**os.environ, "ESCALATOR_LAB_INSTANCE": str(own_instance)}
    proofs: bool = pytestconfig.getoption("--proof")
    shape = PROOF_SHAPE if proofs else SHAPES[pytestconfig.stash[_PIECE]]
    own = Lab(LabSettings.from_environment(environment, servers=0, **shape), progress=Progress())
    try:
        own.up()
        yield own
    finally:
        own.down()


@pytest.fixture(scope="session")
def harness(lab: Lab, own_instance: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    """The lab with an Airflow beside it that knows it."""
    from tests.campaigns.harness import airflow_beside

    with airflow_beside(lab, own_instance, tmp_path_factory.mktemp("world")) as found:
        yield found
