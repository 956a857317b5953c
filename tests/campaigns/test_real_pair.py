"""A pair in two real guests whose nodes are rebooted: its service leaves each node first, then the guest."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from escalator.demo.vnfs import start_pair
from escalator.lab.lab import Lab
from escalator.lab.progress import Progress
from escalator.lab.settings import Hypervisor, LabSettings, NovaForm
from escalator.lab.vnf.specs import Vnf
from escalator.lab.vnf.world import VnfLab
from tests.campaigns.harness import REBOOT, Harness, airflow_beside, state_of

pytestmark = [
    pytest.mark.lab,
    pytest.mark.stack,
    pytest.mark.real_guests,
    pytest.mark.proof,
    pytest.mark.timeout(1800),
]

INSTANCE = 2
"""Its lab has three nodes: on two, both of the pair would be on one that is to go next."""
LONGEST_GAP_SECONDS = 10.0
"""Of the service, on a computer with much else to do: 0.3 to 0.5 s at a load of 13, 3 s at one of 30."""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    environment = {**os.environ, "ESCALATOR_LAB_INSTANCE": str(INSTANCE)}
    kind = {"nova": NovaForm.PACKAGE, "hypervisor": Hypervisor.QEMU}
    lab = Lab(LabSettings.from_environment(environment, nodes=3, servers=0, **kind), progress=Progress())
    try:
        lab.up()
        with airflow_beside(lab, INSTANCE, tmp_path_factory.mktemp("pair")) as harness:
            yield harness
    finally:
        lab.down()


@pytest.fixture(scope="module")
def vnfs(real: Harness) -> Iterator[VnfLab]:
    made = start_pair(real.world, real.stack.settings.url)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def campaign(real: Harness, vnfs: VnfLab) -> dict[str, Any]:
    (pair,) = vnfs.vnfs.values()
    boots = read_boots(pair)
    run = real.trigger(bundle=REBOOT)
    state = real.wait(run)
    return {
        "run": run,
        "state": state,
        "report": real.report(run),
        "boots": boots,
        "boots_after": read_boots(pair),
        "after": real.servers(),
    }


def read_boots(pair: Vnf) -> dict[str, str]:
    """Return what each guest says of itself: its address, and the id of its boot."""
    found = {}
    for server in pair.servers:
        with urllib.request.urlopen(f"http://{server.address}/", timeout=10) as answer:
            found[server.name] = str(answer.read().decode())
    return found


def test_every_node_was_emptied_and_rebooted(real: Harness, campaign: dict[str, Any]) -> None:
    assert campaign["state"] == "success", real.states(campaign["run"])
    nodes = campaign["report"]["nodes"]
    assert {node["state"] for node in nodes} == {"released"}
    assert all("rebooted at" in node["message"] for node in nodes), [node["message"] for node in nodes]


def test_the_guests_were_moved_live_and_never_started_anew(campaign: dict[str, Any]) -> None:
    assert campaign["boots"] == campaign["boots_after"]
    moves = [move for node in campaign["report"]["nodes"] for move in node["moves"]]
    assert {move["name"] for move in moves} == set(campaign["boots"])
    assert {(move["method"], move["succeeded"]) for move in moves} == {("live", True)}
    assert {state_of(campaign["after"][name]) for name in campaign["boots"]} == {("ACTIVE", None)}


def test_the_manager_took_the_service_off_each_node_that_had_it(
    vnfs: VnfLab, campaign: dict[str, Any]
) -> None:
    (pair,) = vnfs.vnfs.values()
    switched = [event for event in vnfs.messages(pair.spec.name, "switched") if event["switched"]]
    assert switched
    assert switched[0]["from"] == pair.servers[0].name
    assert vnfs.active(pair.spec.name) is not None
    planned = [
        notice
        for notice in campaign["report"]["negotiations"]["notices"]
        if notice["state"] == "PLANNED_MAINTENANCE"
    ]
    assert {notice["host"] for notice in planned} == set(pair.spec.nodes)
    assert {notice["answer"] for notice in planned} == {"ack"}


def test_the_gap_of_the_service_was_measured_from_outside(vnfs: VnfLab, campaign: dict[str, Any]) -> None:
    (pair,) = vnfs.vnfs.values()
    gaps = campaign["report"]["service_interruptions"]["gaps"]
    assert {(gap["group"], gap["method"], gap["address"]) for gap in gaps} == {
        (pair.spec.name, "icmp", pair.address)
    }
    measured = [gap["seconds"] for gap in gaps if gap["measured"]]
    assert measured
    assert max(measured) < LONGEST_GAP_SECONDS
