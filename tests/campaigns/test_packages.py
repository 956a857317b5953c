"""Nodes whose nova-compute is a Debian package go to the next release by apt, and each is rebooted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from escalator.lab.lab import Lab
from escalator.lab.progress import Progress
from escalator.lab.settings import LabSettings, NovaForm
from tests.campaigns.harness import NEW, OLD, Harness, OutSampler, airflow_beside, state_of

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.proof, pytest.mark.timeout(1800)]

INSTANCE = 6
BUNDLE = """\
schema: escalator.bundle/1
name: packages-and-reboot
components:
  - {name: nova-compute, to: "3:34.0.0-0lab1", scheme: deb}
mechanism:
  type: apt
  packages:
    - {name: lab-nova-compute, component: nova-compute, service: nova-compute}
impact: reboot
reboot: always
expected: {upgrade_seconds: 60}
"""
BOOT_ID = "/proc/sys/kernel/random/boot_id"


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    environment = {**os.environ, "ESCALATOR_LAB_INSTANCE": str(INSTANCE)}
    settings = LabSettings.from_environment(environment, nodes=3, servers=0, nova=NovaForm.PACKAGE)
    lab = Lab(settings, progress=Progress())
    try:
        lab.up()
        folder = tmp_path_factory.mktemp("packages")
        with airflow_beside(lab, INSTANCE, folder, more={"packages-and-reboot.yaml": BUNDLE}) as found:
            yield found
    finally:
        lab.down()


@pytest.fixture(scope="module")
def upgraded(harness: Harness) -> dict[str, Any]:
    before = harness.fresh(6)
    boots = read_boots(harness)
    sampler = OutSampler(harness.world.cloud())
    with sampler.watching():
        run = harness.trigger(bundle="packages-and-reboot")
        state = harness.wait(run)
    return {
        "run": run,
        "state": state,
        "before": before,
        "boots": boots,
        "most_out": sampler.most,
        "after": harness.servers(),
    }


def read_boots(harness: Harness) -> dict[str, str]:
    return {node.host: node.console("cat", BOOT_ID).stdout for node in harness.lab.nodes()}


def test_every_node_has_and_runs_the_new_package(harness: Harness, upgraded: dict[str, Any]) -> None:
    assert upgraded["state"] == "success", harness.states(upgraded["run"])
    hosts = harness.lab.settings.hosts
    assert {host: harness.running(host) for host in hosts} == dict.fromkeys(hosts, NEW)
    assert {node.host: node.release for node in harness.lab.nodes()} == dict.fromkeys(hosts, NEW)
    assert [node.console("dpkg", "--audit").stdout for node in harness.lab.nodes()] == [""] * 3


def test_every_node_was_rebooted(harness: Harness, upgraded: dict[str, Any]) -> None:
    assert [host for host, boot in read_boots(harness).items() if boot == upgraded["boots"][host]] == []


def test_every_server_is_as_it_was_and_one_node_was_out_at_a_time(upgraded: dict[str, Any]) -> None:
    before = {name: state_of(server) for name, server in upgraded["before"].items()}
    assert {name: state_of(server) for name, server in upgraded["after"].items()} == before
    assert upgraded["most_out"] == 1


def test_a_reset_brings_the_first_package_back(harness: Harness, upgraded: dict[str, Any]) -> None:
    assert upgraded["state"] == "success"
    harness.lab.reset()
    hosts = harness.lab.settings.hosts
    assert {host: harness.running(host) for host in hosts} == dict.fromkeys(hosts, OLD)
