from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from escalator.lab.lab import Lab
from escalator.lab.progress import Progress
from escalator.lab.settings import LabSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN_INSTANCE = 9


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A running lab: the instance that ESCALATOR_TEST_LAB names, or one of our own."""
    chosen = os.environ.get("ESCALATOR_TEST_LAB")
    if chosen is not None:
        yield Lab(LabSettings.from_environment({**os.environ, "ESCALATOR_LAB_INSTANCE": chosen}))
        return
    settings = LabSettings.from_environment(
        {**os.environ, "ESCALATOR_LAB_INSTANCE": str(OWN_INSTANCE)}, servers=0
    )
    own = Lab(settings, progress=Progress())
    try:
        own.up()
        yield own
    finally:
        own.down()
