"""The end of a lab whose own processes were killed: while it came up, or all that is remembered of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.conftest import ROOT
from tests.lab.machine.machines import running_traces
from tests.lab.test_lab_down import listening_on

from escalator.lab.lab import Lab
from escalator.lab.machine.bridge import INTERFACES
from escalator.lab.processes import PidFile, wait_until
from escalator.lab.progress import Progress
from escalator.lab.services import ServiceRunner
from escalator.lab.settings import Hypervisor, LabSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.lab, pytest.mark.proof]

INSTANCE = "5"


@pytest.fixture(params=[Hypervisor.SIM, pytest.param(Hypervisor.QEMU, marks=pytest.mark.real_guests)])
def settings(request: pytest.FixtureRequest) -> Iterator[LabSettings]:
    """What a lab of either kind is brought up with; it is down before and after."""
    environment = {**os.environ, "ESCALATOR_LAB_INSTANCE": INSTANCE}
    kind = {"hypervisor": request.param, "nova": request.param.usual_nova}
    found = LabSettings.from_environment(environment, nodes=2, servers=1, **kind)
    Lab(found).down()
    yield found
    Lab(found).down()


def left_of(lab: Lab) -> list[str]:
    """Return what is left of a lab on this computer but for its files."""
    settings = lab.settings
    group = ServiceRunner(run=settings.run).cgroup
    links = [path.name for path in INTERFACES.iterdir() if f"lab{settings.instance}" in path.name]
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if str(settings.run) in line]
    return [
        *(trace for node in lab.nodes() for trace in running_traces(node.compute.machine)),
        *(str(folder) for folder in group.folders if folder.exists()),
        *(f"port {port}" for port in listening_on(settings)),
        *(f"process {pid}" for pid in processes_of(settings)),
        *links,
        *mounts,
    ]


def processes_of(settings: LabSettings) -> list[int]:
    """Return the processes that name the folder of the lab, by whatever they were started."""
    told = {path: path / "cmdline" for path in Path("/proc").iterdir() if path.name.isdigit()}
    return [int(path.name) for path, file in told.items() if f"{settings.run}/" in _read(file)]


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # it has just ended
        return ""


def test_nothing_is_left_of_a_lab_whose_start_was_killed(settings: LabSettings) -> None:
    environment = {"PYTHONPATH": str(ROOT / "include"), "ESCALATOR_LAB_INSTANCE": INSTANCE}
    shape = ("--nodes", "2", "--servers", "1", "--hypervisor", settings.hypervisor)
    command = [sys.executable, "-m", "escalator.lab", "up", *shape]
    up = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        assert wait_until(lambda: Lab(settings).node("node-02").is_on, timeout_seconds=400)
    finally:
        up.kill()
        up.wait()
    lab = Lab(settings)
    assert not lab.is_running
    assert any(node.is_on for node in lab.nodes())
    assert lab.down()
    assert left_of(lab) == []
    assert not lab.down()


def test_nothing_is_left_of_a_lab_of_which_all_was_killed_that_it_remembers(settings: LabSettings) -> None:
    lab = Lab(settings, progress=Progress())
    lab.up()
    remembered = [PidFile(path=path).alive() for path in (settings.run / "pid").glob("*.json")]
    services = {service.pid for service in remembered if service is not None}
    assert len(services) == 10
    for pid in services:
        os.kill(pid, signal.SIGKILL)
    for node in lab.nodes():
        for pid in node.compute.machine.cgroup.fetch_processes():
            kill_where_it_is_left(pid)
    assert left_of(lab) != []
    lab.down()
    assert left_of(lab) == []
    assert not lab.down()


def kill_where_it_is_left(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:  # it went with another one
        return
