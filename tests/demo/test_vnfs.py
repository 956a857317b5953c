from __future__ import annotations

from pathlib import Path

import pytest
from tests.lab.vnf.test_specs import make

from escalator.demo.vnfs import _describe_vnf, place_pair
from escalator.lab.settings import Hypervisor, LabSettings, NovaForm


@pytest.mark.parametrize(
    ("hypervisor", "nodes", "action"),
    [
        (Hypervisor.SIM, ("node-01", "node-02"), "OWN_ACTION"),
        (Hypervisor.QEMU, ("node-02", "node-03"), "MIGRATE"),
    ],
)
def test_the_pair_is_on_two_nodes_and_real_guests_are_moved_before_their_node_reboots(
    hypervisor: Hypervisor, nodes: tuple[str, str], action: str
) -> None:
    settings = LabSettings(nodes=3, hypervisor=hypervisor, nova=NovaForm.PACKAGE)
    pair = place_pair(settings)
    assert pair.nodes == nodes
    assert pair.vnfm is not None
    assert pair.vnfm.action == action


@pytest.mark.parametrize(
    ("is_real", "probe"),
    [
        (False, {"method": "http", "url": "http://127.0.70.9:8080/health"}),
        (True, {"method": "icmp", "address": "127.0.70.9"}),
    ],
)
def test_a_service_is_probed_by_http_and_that_of_real_guests_by_echoes(
    tmp_path: Path, *, is_real: bool, probe: dict[str, str]
) -> None:
    (group,) = _describe_vnf(make(tmp_path, is_real=is_real))["groups"]
    assert group["probe"] == probe
