from __future__ import annotations

import pytest

from escalator.demo.vnfs import place_pair
from escalator.lab.settings import Hypervisor, LabSettings, NovaForm


@pytest.mark.parametrize(
    ("hypervisor", "nodes"),
    [(Hypervisor.SIM, ("node-01", "node-02")), (Hypervisor.QEMU, ("node-02", "node-03"))],
)
def test_the_pair_is_on_two_nodes_and_its_real_guests_where_there_are_fewer(
    hypervisor: Hypervisor, nodes: tuple[str, str]
) -> None:
    settings = LabSettings(nodes=3, hypervisor=hypervisor, nova=NovaForm.PACKAGE)
    assert place_pair(settings).nodes == nodes
