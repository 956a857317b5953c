"""Two nodes and a real guest: Nova, QEMU and libvirt are upgraded by apt, and each node is rebooted."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from escalator.lab.lab import Lab
from escalator.lab.ping_meter import answers, metered
from escalator.lab.processes import wait_until
from escalator.lab.progress import Progress
from escalator.lab.real_guests import RealGuests
from escalator.lab.settings import Hypervisor, LabSettings, NovaForm
from tests.campaigns.harness import NEW, Harness, airflow_beside, host_of, state_of

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.proof, pytest.mark.timeout(1800)]

INSTANCE = 4
QEMU_NEW = 10_000_000
TOLD = Progress()


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    environment = {**os.environ, "ESCALATOR_LAB_INSTANCE": str(INSTANCE)}
    kind = {"nova": NovaForm.PACKAGE, "hypervisor": Hypervisor.QEMU}
    lab = Lab(LabSettings.from_environment(environment, nodes=2, servers=1, **kind), progress=TOLD)
    try:
        lab.up()
        bundle = RealGuests(settings=lab.settings).bundle_file
        folder = tmp_path_factory.mktemp("real")
        with airflow_beside(lab, INSTANCE, folder, more={bundle.name: bundle.read_text()}) as harness:
            yield harness
    finally:
        lab.down()


@pytest.fixture(scope="module")
def campaign(real: Harness) -> dict[str, Any]:
    bundle = RealGuests(settings=real.lab.settings).bundle_file
    before = real.servers()
    address = next(iter(before["guest-01"]["addresses"].values()))[0]["addr"]
    assert wait_until(lambda: answers(address), timeout_seconds=60)
    told = read(address)
    with metered(address) as meter:
        run = real.trigger(bundle=bundle.stem)
        state = real.wait(run)
        echoes = meter.stop()
    TOLD.say(f"the campaign ended with {state}; the guest: {echoes}")
    report = real.report(run)
    for node in report["nodes"]:
        TOLD.say(f"{node['host']}: {node['state']}: {node.get('reason')}")
    return {
        "report": report,
        "run": run,
        "state": state,
        "before": before,
        "after": real.servers(),
        "echoes": echoes,
        "told": (told, read(address)),
    }


def read(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/", timeout=10) as answer:
        return str(answer.read().decode())


def test_every_node_runs_the_new_nova_and_the_new_hypervisor(real: Harness, campaign: dict[str, Any]) -> None:
    assert campaign["state"] == "success", real.states(campaign["run"])
    hosts = real.lab.settings.hosts
    assert {host: real.running(host) for host in hosts} == dict.fromkeys(hosts, NEW)
    found = real.lab.cloud.get("nova", "/os-hypervisors/detail")["hypervisors"]
    assert all(each["hypervisor_version"] >= QEMU_NEW for each in found)


def test_the_guest_goes_on_and_was_never_started_anew(campaign: dict[str, Any]) -> None:
    first, last = campaign["told"]
    assert first == last
    assert state_of(campaign["after"]["guest-01"]) == ("ACTIVE", None)
    assert host_of(campaign["after"]["guest-01"])
    assert campaign["echoes"].answered > 0


def test_the_report_tells_what_each_node_ran_before_and_after(campaign: dict[str, Any]) -> None:
    nodes = campaign["report"]["nodes"]
    TOLD.say(json.dumps(nodes)[:6000])
    assert {node["state"] for node in nodes} == {"released"}
