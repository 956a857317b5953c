from __future__ import annotations

import configparser
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from escalator.lab.config import ControlConfig
from escalator.lab.errors import LabError
from escalator.lab.machine.node_disk import NodeDisk
from escalator.lab.machine.qemu_node import QemuMachine
from escalator.lab.nodes import Node
from escalator.lab.settings import Hypervisor, LabSettings, NovaForm

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node that is off, on a disk whose first release is 33.0.2."""
    settings = LabSettings(home=tmp_path, nodes=1, ssh_port=2222)
    for name in ("ssh/id_ed25519.pub", "machines/signing/public.asc"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(f"{name}\n")
    layer = tmp_path / "layer"
    (layer / "opt/nova/venv-33.0.2").mkdir(parents=True)
    (layer / "opt/nova/venv").symlink_to("venv-33.0.2")
    settings.run.mkdir()
    NodeDisk(layers=(layer,)).write(settings.run)
    return Node(host="node-01", config=ControlConfig(settings=settings))


def test_a_node_with_real_guests_is_on_the_bridge_and_has_no_faults_to_order(tmp_path: Path) -> None:
    settings = LabSettings(home=tmp_path, nodes=1, nova=NovaForm.PACKAGE, hypervisor=Hypervisor.QEMU)
    node = Node(host="node-01", config=ControlConfig(settings=settings))
    assert isinstance(node.compute, QemuMachine)
    assert node.address == node.compute.address == "10.213.0.11"
    with pytest.raises(LabError, match="knows no faults"):
        node.fault(migrate="fail")


def test_a_node_gets_its_files_and_its_first_release(node: Node) -> None:
    node.write()
    assert node.release == node.settings.from_release
    assert node.known_host().startswith("[127.0.10.1]:2222,[node-01]:2222 ssh-ed25519 ")
    etc = node.directory / "upper" / "etc"
    conf = configparser.ConfigParser(interpolation=None)
    conf.read([etc / "nova" / "nova.conf", etc / "nova" / "nova-compute.conf"])
    assert conf["DEFAULT"]["compute_driver"] == "lab.driver.LabDriver"
    assert conf["DEFAULT"]["my_ip"] == "127.0.10.1"
    sshd = (etc / "ssh" / "sshd_config.d" / "escalator-lab.conf").read_text()
    assert "ListenAddress 127.0.10.1\nPort 2222\n" in sshd
    assert not node.is_on


def test_its_host_key_stays_when_its_files_are_written_again(node: Node) -> None:
    node.write()
    before = node.known_host()
    node.write()
    assert node.known_host() == before


def test_a_package_brings_the_driver_and_takes_the_sessions_of_ssh_as_debian_has_them(node: Node) -> None:
    settings = replace(node.settings, nova=NovaForm.PACKAGE)
    packaged = replace(node, config=ControlConfig(settings=settings))
    packaged.write()
    etc = node.directory / "upper" / "etc"
    assert not (etc / "nova" / "nova-compute.conf").exists()
    assert (etc / "apt" / "sources.list.d" / "escalator-lab.sources").exists()
    assert [path.name for path in (etc / "ssh" / "sshd_config.d").iterdir()] == ["escalator-lab.conf"]


def test_a_node_that_is_off_says_so(node: Node) -> None:
    with pytest.raises(LabError, match="node-01 is off") as refused:
        node.console("true")
    assert refused.value.remedy == "escalator lab node start node-01"
    assert not node.is_compute_active()
    node.stop()


def test_a_node_of_a_lab_that_was_never_up_has_no_release_and_no_power(tmp_path: Path) -> None:
    node = Node(host="node-01", config=ControlConfig(settings=LabSettings(home=tmp_path)))
    assert (node.release, node.is_on, node.directory.exists()) == ("", False, False)
