"""Campaigns over real guests: a lab of their own, an Airflow beside it, what the guests tell."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from escalator.lab.lab import Lab
from escalator.lab.processes import wait_until
from escalator.lab.progress import Progress
from escalator.lab.real_guests import RealGuests
from escalator.lab.servers import ServerSpec
from escalator.lab.settings import Hypervisor, LabSettings, NovaForm
from tests.campaigns.harness import Harness, airflow_beside
from tests.conftest import REAL_GUESTS

QEMU_NEW = 10_000_000
ANSWER_SECONDS = 120.0


@contextmanager
def real_guests(folder: Path, specs: Sequence[ServerSpec]) -> Iterator[Harness]:
    """Bring a lab of two nodes with these guests up, and an Airflow that offers its bundle; end both."""
    environment = {**os.environ, "ESCALATOR_LAB_INSTANCE": str(REAL_GUESTS)}
    kind = {"nova": NovaForm.PACKAGE, "hypervisor": Hypervisor.QEMU}
    lab = Lab(LabSettings.from_environment(environment, nodes=2, servers=0, **kind), progress=Progress())
    try:
        lab.up()
        lab.servers.boot(specs)
        bundle = RealGuests(settings=lab.settings).bundle_file
        with airflow_beside(lab, REAL_GUESTS, folder, more={bundle.name: bundle.read_text()}) as harness:
            yield harness
    finally:
        lab.down()


def hypervisor_bundle(harness: Harness) -> str:
    """Return the name of the bundle that brings Nova and the hypervisor."""
    return RealGuests(settings=harness.lab.settings).bundle_file.stem


def hypervisor_versions(harness: Harness) -> list[int]:
    """Return what Nova says of the hypervisors of all nodes."""
    found = harness.lab.cloud.get("nova", "/os-hypervisors/detail")["hypervisors"]
    return [each["hypervisor_version"] for each in found]


def address_of(server: Mapping[str, Any]) -> str:
    """Return the address of a guest."""
    return str(next(iter(server["addresses"].values()))[0]["addr"])


def read(address: str) -> str:
    """Return what a guest tells of its boot; nothing when it does not answer in time.

    It answers echoes before it tells: its web server starts last.
    """
    told: list[str] = []

    def tells() -> bool:
        with suppress(OSError, HTTPException), urlopen(f"http://{address}/", timeout=10) as answer:
            told.append(answer.read().decode())
        return bool(told)

    wait_until(tells, timeout_seconds=ANSWER_SECONDS, poll_seconds=0.5)
    return told[0] if told else ""
