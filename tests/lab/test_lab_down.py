"""The end of a lab: the last of the tests that need this one."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

import pytest
from tests.conftest import CHOSEN_LAB
from tests.lab.machine.machines import running_traces

from escalator.lab import services
from escalator.lab.lab import Lab
from escalator.lab.processes import PidFile
from escalator.lab.services import Service, ServiceRunner

if TYPE_CHECKING:
    from pathlib import Path

    from escalator.lab.settings import LabSettings

pytestmark = [pytest.mark.lab, pytest.mark.ends_lab]


@pytest.mark.skipif(CHOSEN_LAB in os.environ, reason=f"the lab of {CHOSEN_LAB} is not ours to end")
def test_down_ends_everything_and_nothing_else(lab: Lab, tmp_path: Path) -> None:
    neighbour, runner = Service(name="epmd", command=("sleep", "600")), ServiceRunner(run=tmp_path)
    runner.ensure_started(neighbour)
    own = ServiceRunner(run=lab.settings.run)
    lost = ("sh", "-c", "(setsid sleep 601 &); exec sleep 600")
    own.ensure_started(Service(name=f"{services.VNF_PREFIX}a-guest", command=lost))
    try:
        assert lab.status().is_up
        processes = [PidFile(path=path).read() for path in (lab.settings.run / "pid").glob("*.json")]
        machines = [node.compute.machine for node in lab.nodes()]
        assert len(processes) == 11
        assert all(machine.is_on for machine in machines)
        start = time.monotonic()
        assert lab.down()
        assert time.monotonic() - start < 15
        assert not any(process is not None and process.is_alive() for process in processes)
        assert [left for machine in machines for left in running_traces(machine)] == []
        assert listening_on(lab.settings) == []
        assert not any(folder.exists() for folder in own.cgroup.folders)
        assert not lab.down()
        assert runner.is_alive(neighbour.name)
    finally:
        assert runner.ensure_removed()


def listening_on(settings: LabSettings) -> list[int]:
    found = []
    for port in settings.ports.as_dict().values():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                found.append(port)
    return found
