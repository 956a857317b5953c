from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from escalator.lab.config import ControlConfig
from escalator.lab.machine.cgroup import Cgroup
from escalator.lab.machine.compute import ComputeMachine
from escalator.lab.machine.machine import Machine
from escalator.lab.machine.package_files import texts_of
from escalator.lab.machine.repository import Repository
from escalator.lab.machine.signing import SigningKey
from escalator.lab.settings import LabSettings


@pytest.fixture
def node(tmp_path: Path) -> ComputeMachine:
    settings = LabSettings(home=tmp_path, instance=5)
    for name in ("ssh/id_ed25519.pub", "machines/signing/public.asc"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(f"{name}\n")
    key = SigningKey(folder=tmp_path / "machines" / "signing")
    return ComputeMachine(
        host="node-01",
        address="127.0.200.1",
        config=ControlConfig(settings=settings),
        layers=(tmp_path / "nova", tmp_path / "rootfs"),
        repository=Repository(folder=tmp_path / "repository", key=key),
    )


def test_the_driver_is_in_the_conffile_of_the_package_alone(node: ComputeMachine) -> None:
    ours = configparser.RawConfigParser(default_section="-")
    ours.read_string(node.machine.files.texts["etc/nova/nova.conf"])
    assert ours["DEFAULT"]["host"] == "node-01"
    assert ours["DEFAULT"]["my_ip"] == "127.0.200.1"
    assert ours["DEFAULT"]["transport_url"].endswith("@127.0.0.1:21505/")
    assert "compute_driver" not in ours["DEFAULT"]
    assert "compute_driver" in texts_of("33.0.2")["etc/nova/nova-compute.conf"]


def test_a_new_disk_keeps_what_a_machine_is_known_by(node: ComputeMachine) -> None:
    machine = node.machine
    machine.files.ensure_written(machine.upper)
    (machine.upper / "etc/nova/compute_id").write_text("edited")
    before = machine.files.known_host(machine.upper), (machine.upper / "etc/machine-id").read_text()
    machine.renew_disk()
    machine.upper.rename(machine.folder / "upper.new")  # a run that was killed between its two steps
    machine.renew_disk()
    assert not (machine.upper / "etc/nova").exists()
    assert [path.name for path in machine.folder.iterdir()] == ["upper"]
    machine.files.ensure_written(machine.upper)
    assert (machine.files.known_host(machine.upper), (machine.upper / "etc/machine-id").read_text()) == before


def test_nodes_share_the_folder_of_the_hypervisors_as_guests_move_between_them(node: ComputeMachine) -> None:
    assert node.machine.binds == {node.hypervisor.parent: "/var/lib/lab-hypervisors"}
    assert "ESCALATOR_LAB_HYPERVISORS=/var/lib/lab-hypervisors" in "".join(texts_of("33.0.2").values())


def test_the_repository_is_seen_where_apt_looks_for_it(node: ComputeMachine, tmp_path: Path) -> None:
    machine = node.machine
    machine.files.ensure_written(tmp_path / "upper")
    assert node.repository is not None
    source = (tmp_path / "upper/etc/apt/sources.list.d/escalator-lab.sources").read_text()
    assert f"URIs: copy:{machine.shown[node.repository.folder]}\n" in source
    assert (tmp_path / "upper/etc/nova/nova.conf").exists()


def test_what_the_lab_and_the_users_of_machines_both_write_is_open_to_all(node: ComputeMachine) -> None:
    node.ensure_written()
    for name in ("", "guest-events.jsonl", "guests.lock", "faults.lock"):
        path = node.hypervisor / name
        assert path.stat().st_mode & 0o006 == 0o006, name
    (node.hypervisor / "hardware.json").write_text("{}")
    node.ensure_written()
    assert (node.hypervisor / "hardware.json").read_text() == "{}"


def test_the_files_of_a_machine_that_is_on_are_left_alone(
    node: ComputeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cgroup, "fetch_processes", lambda _: frozenset({1}))
    monkeypatch.setattr(Machine, "wait_for_sshd", lambda _: None)
    node.ensure_on()
    assert not node.machine.upper.exists()  # it is under a mount
