from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from escalator.lab.config import ControlConfig
from escalator.lab.machine.power_loop import NETWORK
from escalator.lab.machine.qemu_node import NEWER_MOUNT, QemuMachine
from escalator.lab.machine.repository import Repository
from escalator.lab.machine.signing import SigningKey
from escalator.lab.settings import Hypervisor, LabSettings, NovaForm


@pytest.fixture
def node(tmp_path: Path) -> QemuMachine:
    settings = LabSettings(home=tmp_path, instance=5, nova=NovaForm.PACKAGE, hypervisor=Hypervisor.QEMU)
    for name in ("ssh/id_ed25519.pub", "machines/signing/public.asc", "nova-key/id_ed25519"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(f"{name}\n")
    (tmp_path / "nova-key/id_ed25519.pub").write_text("public\n")
    key = SigningKey(folder=tmp_path / "machines" / "signing")
    return QemuMachine(
        host="node-01",
        address=settings.bridge.address_of("node-01"),
        config=ControlConfig(settings=settings),
        layers=(tmp_path / "nova", tmp_path / "rootfs"),
        repository=Repository(folder=tmp_path / "repository", key=key),
        newer=Repository(folder=tmp_path / "newer", key=key),
        nova_key=tmp_path / "nova-key" / "id_ed25519",
    )


def test_it_reaches_the_control_plane_over_the_bridge_whatever_the_catalogue_says(node: QemuMachine) -> None:
    text = node.machine.files.texts["etc/nova/nova.conf"]
    ours = configparser.RawConfigParser(default_section="-")
    ours.read_string(text)
    assert "127.0.0.1" not in text
    assert ours["DEFAULT"]["transport_url"].endswith("@10.213.5.1:21505/")
    assert ours["placement"]["endpoint_override"] == "http://10.213.5.1:21501"
    assert ours["service_user"]["auth_url"] == "http://10.213.5.1:21500/v3"
    assert ours["libvirt"]["live_migration_inbound_addr"] == ours["DEFAULT"]["my_ip"] == "10.213.5.11"
    assert node.config.auth_url == "http://127.0.0.1:21500/v3"


def test_its_driver_is_a_line_of_the_conffile(node: QemuMachine) -> None:
    texts = node.machine.files.texts
    assert "compute_driver = libvirt.LibvirtDriver" in texts["etc/nova/nova-compute.conf"]
    assert "compute_driver" not in texts["etc/nova/nova.conf"]


def test_nova_users_reach_each_other_and_nobody_else_by_their_key(node: QemuMachine) -> None:
    texts = node.machine.files.texts
    assert texts["etc/ssh/authorized_keys/nova"] == "public\n"
    assert texts["etc/nova/nova_key"] == "nova-key/id_ed25519\n"
    assert (
        "Match localuser nova\n    IdentityFile /etc/nova/nova_key\n"
        in texts["etc/ssh/ssh_config.d/escalator-lab.conf"]
    )


def test_it_takes_newer_hypervisors_from_a_repository_that_others_do_not_see(node: QemuMachine) -> None:
    machine = node.machine
    assert machine.shown[node.newer.folder] == NEWER_MOUNT
    source = machine.files.texts["etc/apt/sources.list.d/escalator-lab-newer.sources"]
    assert f"URIs: copy:{NEWER_MOUNT}\n" in source
    assert "Signed-By: " in source


def test_it_has_a_network_of_its_own_with_two_cables(node: QemuMachine) -> None:
    machine = node.machine
    assert [(cable.outside, cable.inside) for cable in machine.cables] == [
        ("esclab5-01m", "eth0"),
        ("esclab5-01g", "eth1"),
    ]
    assert f"--network-namespace-path={NETWORK}" in machine._command()
    assert machine.binds[Path("/dev/net/tun")] == "/dev/net/tun"
