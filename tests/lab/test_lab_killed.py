"""The end of a lab whose own process was killed before it was up."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.conftest import ROOT
from tests.lab.machine.machines import running_traces
from tests.lab.test_lab_down import listening_on

from escalator.lab.lab import Lab
from escalator.lab.processes import wait_until
from escalator.lab.settings import LabSettings

pytestmark = [pytest.mark.lab, pytest.mark.proof]

INSTANCE = "5"


@pytest.fixture
def settings() -> LabSettings:
    return LabSettings.from_environment(
        {**os.environ, "ESCALATOR_LAB_INSTANCE": INSTANCE}, nodes=2, servers=0
    )


def test_nothing_is_left_after_down(settings: LabSettings) -> None:
    Lab(settings).down()
    environment = {"PYTHONPATH": str(ROOT / "include"), "ESCALATOR_LAB_INSTANCE": INSTANCE}
    command = [sys.executable, "-m", "escalator.lab", "up", "--nodes", "2", "--servers", "0"]
    up = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        assert wait_until(lambda: Lab(settings).node("node-02").is_on, timeout_seconds=400)
        up.kill()
        up.wait()
        lab = Lab(settings)
        assert not lab.is_running
        assert any(node.is_on for node in lab.nodes())
    finally:
        up.kill()
        ended = Lab(settings).down()
    assert ended
    assert [left for node in lab.nodes() for left in running_traces(node.compute.machine)] == []
    assert listening_on(settings) == []
    assert not lab.down()
