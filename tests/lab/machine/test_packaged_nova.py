from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from escalator.lab.machine.machine import Machine
from escalator.lab.machine.machine_files import MachineFiles
from escalator.lab.machine.packaged_nova import PackagedNova

if TYPE_CHECKING:
    from pathlib import Path

NOVA = PackagedNova()


@pytest.fixture
def disks(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "m" / "upper", tmp_path / "layer"


def write(disk: Path, version: str, name: str = "lab-nova-compute") -> None:
    status = disk / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True, exist_ok=True)
    adduser = "Package: adduser\nStatus: install ok installed\nVersion: 3.134\n"
    ours = f"Package: {name}\nStatus: hold ok installed\nConffiles:\n /a 1\nVersion: {version}\n"
    status.write_text(f"{adduser}\n{ours}\nPackage: zlib1g\nVersion: 1:1.2.13-1\n")


def test_the_release_is_what_dpkg_says_on_the_uppermost_disk(disks: tuple[Path, Path]) -> None:
    upper, layer = disks
    write(layer, "3:33.0.2-0lab1")
    assert NOVA.read_release(disks) == "33.0.2"
    write(upper, "3:34.0.0-0lab1")
    assert NOVA.read_release(disks) == "34.0.0"


def test_a_disk_without_the_package_has_no_release(disks: tuple[Path, Path]) -> None:
    assert NOVA.read_release(disks) == ""
    write(disks[1], "3:1-0", name="lab-nova-compute-x")
    assert NOVA.read_release(disks) == ""


def test_a_disk_is_renewed_as_soon_as_dpkg_has_changed_anything(disks: tuple[Path, Path]) -> None:
    upper, layer = disks
    write(layer, "3:33.0.2-0lab1")
    files = MachineFiles(name="m", address="127.0.200.9", ssh_port=22, authorized_key="")
    machine = Machine(files=files, folder=upper.parent, layers=(layer,), binds={}, shown={})
    upper.mkdir(parents=True)
    (upper / "kept").touch()
    assert not NOVA.restore(machine)
    assert (upper / "kept").exists()
    write(upper, "3:33.0.2-0lab1")  # the same version, held for instance
    assert NOVA.restore(machine)
    assert not (upper / "kept").exists()
