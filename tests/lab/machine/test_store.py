from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from escalator.lab.machine import layers
from escalator.lab.machine.layers import Layers, Recipe
from escalator.lab.machine.node_disk import NodeDisk
from escalator.lab.machine.package_files import file_name
from escalator.lab.machine.store import MachineStore
from escalator.lab.progress import Progress
from escalator.lab.settings import LabSettings, NovaForm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from escalator.lab.machine.repository import Repository


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the layers that were asked for; none is really made."""
    names: list[str] = []

    def ensure(self: Layers, recipe: Recipe) -> tuple[Path, ...]:
        names.append(recipe.name)
        return (self.folder / recipe.name,)

    @contextmanager
    def alone(_: MachineStore) -> Iterator[None]:
        yield

    monkeypatch.setattr(Layers, "ensure", ensure)
    monkeypatch.setattr(MachineStore, "_check", lambda _: None)
    monkeypatch.setattr(MachineStore, "_lock", alone)
    return names


def make_store(home: Path, said: list[str], nova: NovaForm) -> MachineStore:
    settings = LabSettings(home=home, nova=nova)
    settings.uv.parent.mkdir(parents=True)
    settings.uv.write_text("uv")
    return MachineStore(settings=settings, progress=Progress(said.append))


def test_nodes_start_with_the_first_release_and_find_the_second_one_in_the_cache(
    tmp_path: Path, made: list[str]
) -> None:
    disk = make_store(tmp_path, [], NovaForm.VENV).ensure_disk()
    assert [layer.name for layer in disk.layers] == ["venv-33.0.2"]
    assert sorted(made) == ["venv-33.0.2", "venv-34.0.0"]
    assert (tmp_path / "uv-cache").is_dir()


def test_nodes_with_packages_have_the_first_one_installed_and_both_offered(
    tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: list[tuple[str, ...]] = []

    def publish(store: MachineStore, releases: tuple[str, ...]) -> Repository:
        offered.append(releases)
        return store.repository

    monkeypatch.setattr(MachineStore, "ensure_repository", publish)
    monkeypatch.setattr(MachineStore, "_ensure_layers", lambda store, recipe: (store.folder / recipe.name,))
    store = make_store(tmp_path, [], NovaForm.PACKAGE)
    store.repository.folder.mkdir(parents=True)
    (store.repository.folder / file_name("33.0.2")).touch()
    disk = store.ensure_disk()
    assert [layer.name for layer in disk.layers] == ["nova-33.0.2"]
    assert offered == [("33.0.2", "34.0.0")]
    assert made == []


def test_layers_stay_that_a_machine_of_any_lab_names(
    tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    store = make_store(tmp_path, said, NovaForm.VENV)
    for name in ("of-a-lab", "of-a-machine", "of-a-proof", "of-nobody"):
        (store.layers.folder / name).mkdir(parents=True)
    (tmp_path / "run-4").mkdir()
    NodeDisk(layers=(store.layers.folder / "of-a-lab",)).write(tmp_path / "run-4")
    for folder, layer in (("run-5/machines/node-01", "of-a-machine"), ("machines/proofs/p", "of-a-proof")):
        (tmp_path / folder).mkdir(parents=True)
        overlay = f"lowerdir={store.layers.folder / layer},upperdir=/x"
        (tmp_path / folder / "machine.json").write_text(f'{{"overlay": "{overlay}"}}')
    monkeypatch.setattr(layers, "_KEPT", timedelta(days=-1))
    store.prune()
    assert sorted(path.name for path in store.layers.folder.iterdir()) == [
        "of-a-lab",
        "of-a-machine",
        "of-a-proof",
    ]
    assert said[0].endswith("removed layers that no machine uses: of-nobody")
    assert made == []


def test_nobody_waits_for_layers_that_are_there(
    tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path, [], NovaForm.VENV)
    there = (store.layers.folder / "base",)
    monkeypatch.setattr(Layers, "find", lambda *_: there)
    monkeypatch.setattr(MachineStore, "_lock", None)  # another lab has it
    assert store.ensure_base() == there
    assert made == []
