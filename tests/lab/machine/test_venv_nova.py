from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from escalator.lab.install import PACKAGE
from escalator.lab.machine.machine import Machine
from escalator.lab.machine.machine_files import MachineFiles
from escalator.lab.machine.package_files import DRIVER
from escalator.lab.machine.venv_nova import VenvNova
from escalator.lab.settings import LabSettings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def nova(tmp_path: Path) -> VenvNova:
    settings = LabSettings(home=tmp_path / "home")
    settings.uv.parent.mkdir(parents=True)
    settings.uv.write_text("uv 1")
    return VenvNova(settings=settings)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine that is off."""
    files = MachineFiles(name="m", address="127.0.200.9", ssh_port=22, authorized_key="")
    layer = tmp_path / "layer"
    point(layer, "33.0.2")
    return Machine(files=files, folder=tmp_path / "m", layers=(layer,), binds={}, shown={})


def point(disk: Path, release: str) -> None:
    folder = disk / "opt" / "nova"
    (folder / f"venv-{release}").mkdir(parents=True)
    (folder / "venv").symlink_to(f"venv-{release}")


def test_the_release_is_where_the_link_points(nova: VenvNova, machine: Machine) -> None:
    disks = (machine.upper, *machine.layers)
    assert nova.read_release(disks) == "33.0.2"
    point(machine.upper, "34.0.0")
    assert nova.read_release(disks) == "34.0.0"
    assert nova.read_release(()) == ""


def test_a_machine_that_is_off_is_restored_by_its_files(nova: VenvNova, machine: Machine) -> None:
    point(machine.upper, "34.0.0")
    (machine.upper / "var").mkdir()
    assert nova.restore(machine)
    assert nova.read_release((machine.upper, *machine.layers)) == "33.0.2"
    assert [path.name for path in machine.upper.iterdir()] == ["opt", "var"] or (
        machine.upper / "var"
    ).exists()
    assert not nova.restore(machine)


def test_sessions_find_the_caches_under_the_paths_that_they_have_here(nova: VenvNova) -> None:
    told = nova.texts["etc/ssh/sshd_config.d/escalator-lab-caches.conf"]
    for cache in (nova.settings.uv_cache, nova.settings.pycache):
        assert nova.binds[cache] == str(cache)
        assert f'={cache}"' in told
    assert '"UV_OFFLINE=1"' in told
    assert nova.shown == {PACKAGE / "virt": DRIVER}


def test_a_layer_is_made_anew_when_its_uv_or_its_caches_change(nova: VenvNova, tmp_path: Path) -> None:
    def keys(nova: VenvNova) -> tuple[str, ...]:
        return tuple(nova.make_recipe(release).key for release in ("33.0.2", "34.0.0"))

    first = keys(nova)
    assert first == keys(nova)
    nova.settings.uv.write_text("uv 2")
    assert not set(first) & set(keys(nova))
    nova.settings.uv.write_text("uv 1")
    settings: Any = replace(nova.settings, home=tmp_path / "elsewhere")
    settings.uv.parent.mkdir(parents=True)
    settings.uv.write_text("uv 1")
    assert not set(first) & set(keys(VenvNova(settings=settings)))
