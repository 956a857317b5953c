"""What the machines of all labs on this computer share: layers of disks, packages, a key."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from escalator.lab.debian_packages import ensure_debian_packages
from escalator.lab.machine import cgroup, package_files
from escalator.lab.machine.layers import BASE_RECIPE, Layers, Recipe, prune
from escalator.lab.machine.machine_files import REPOSITORY_MOUNT
from escalator.lab.machine.node_disk import NodeDisk
from escalator.lab.machine.package import PackageBuilder
from escalator.lab.machine.package_files import VENV
from escalator.lab.machine.possible import Computer, check_possible
from escalator.lab.machine.repository import Repository
from escalator.lab.machine.signing import SigningKey
from escalator.lab.machine.venv_nova import VenvNova
from escalator.lab.pins import MACHINE_PACKAGES
from escalator.lab.settings import NovaForm

if TYPE_CHECKING:
    from escalator.lab.progress import Progress
    from escalator.lab.settings import LabSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineStore:
    """Everything that is made once and kept.

    :param settings: of the lab; its virtual environments say which versions the packages hold.
    :param progress: told about each step that takes time.
    """

    settings: LabSettings
    progress: Progress

    @property
    def folder(self) -> Path:
        """Return the folder of all that is kept."""
        return self.settings.home / "machines"

    @property
    def repository(self) -> Repository:
        """Return the apt repository."""
        return Repository(folder=self.folder / "repository", key=SigningKey(folder=self.folder / "signing"))

    @property
    def layers(self) -> Layers:
        """Return the layers of the machines' disks."""
        return Layers(folder=self.folder / "layers", progress=self.progress)

    def ensure_base(self) -> tuple[Path, ...]:
        """Make the layers of a bare machine, where they are lacking.

        :return: the layers, the uppermost first.
        :raises LabError: when machines cannot run here, or a layer cannot be made.
        """
        return self._ensure_layers(BASE_RECIPE)

    def ensure_disk(self) -> NodeDisk:
        """Make the disk of the nodes of a lab, and what they are upgraded to, where they are lacking.

        :raises LabError: when machines cannot run here, or something cannot be made.
        """
        first, second = self.settings.from_release, self.settings.to_release
        match self.settings.nova:
            case NovaForm.VENV:
                self.ensure_venv(second)  # so that nodes find its packages in the cache, without a network
                return NodeDisk(layers=self.ensure_venv(first))
            case NovaForm.PACKAGE:
                return NodeDisk(layers=self.ensure_installed(first, offered=(second,)))
            case _:
                assert_never(self.settings.nova)

    def ensure_venv(self, release: str) -> tuple[Path, ...]:
        """Make the layers of a machine with a virtual environment of a release, where they are lacking.

        :return: the layers, the uppermost first.
        :raises LabError: when machines cannot run here, or a layer cannot be made.
        """
        recipe = VenvNova(settings=self.settings).make_recipe(release)
        for cache in recipe.binds:
            cache.mkdir(parents=True, exist_ok=True)
        return self._ensure_layers(recipe)

    def ensure_repository(self, releases: Iterable[str]) -> Repository:
        """Build the packages of these releases and publish them, where they are lacking.

        :raises LabError: when machines cannot run here, or a package cannot be built.
        """
        found = {release: self._packages_of(release) for release in releases}
        with self._lock():
            repository = self.repository
            before = _state(repository.folder)
            for release, packages in found.items():
                self._builder.ensure(release, packages=packages, into=repository.folder)
            is_new = _state(repository.folder) != before
            if is_new or not repository.is_published:
                repository.publish(datetime.now(UTC))
            return repository

    def ensure_installed(
        self, release: str, *, on: Recipe = BASE_RECIPE, offered: Iterable[str] = ()
    ) -> tuple[Path, ...]:
        """Make the layers of a machine with nova-compute of a release installed, where they are lacking.

        :param on: the layer that it is installed on.
        :param offered: releases that the repository has besides.
        :return: the layers, the uppermost first.
        :raises LabError: when machines cannot run here, or a layer cannot be made.
        """
        repository = self.ensure_repository((release, *offered))
        name = package_files.file_name(release)
        package = repository.folder / name
        recipe = Recipe(
            name=f"nova-{release}",
            script=f"apt-get -qy install {REPOSITORY_MOUNT}/{name}\napt-get clean\n",
            below=on,
            binds={repository.folder: REPOSITORY_MOUNT},
            inputs=(str(package.stat().st_mtime_ns),),
        )
        return self._ensure_layers(recipe)

    def prune(self) -> None:
        """Remove layers that are of no use any more, what packages were built from, and groups left empty.

        The layers of a machine stay, whether it is on or off.

        :raises LabError: when machines cannot run here.
        """
        with self._lock():
            texts = [path.read_text() for path in self._descriptions()]
            removed = prune(
                self.layers.folder,
                is_used=lambda name: any(f"/{name}" in text for text in texts),
                now=datetime.now(UTC),
            )
            prune(
                self._builder.folder, is_used=lambda _: False, now=datetime.now(UTC)
            )  # packages are made of it
        if removed:
            self.progress.say(f"removed layers that no machine uses: {', '.join(removed)}")
        if groups := cgroup.prune(cgroup.find_hierarchies(cgroup.MOUNTS.read_text()), now=time.time()):
            self.progress.say(f"removed control groups that nothing runs in: {', '.join(groups)}")

    def _descriptions(self) -> Iterator[Path]:
        """Go through the files that name the layers of the machines of all labs on this computer."""
        home = self.settings.home
        for pattern in ("run-*/node-disk.json", "run-*/machines/*/machine.json", "machines/*/*/machine.json"):
            yield from home.glob(pattern)

    @property
    def _builder(self) -> PackageBuilder:
        return PackageBuilder(
            folder=self.folder / "build",
            layers=self.layers,
            uv=self.settings.uv,
            uv_cache=self.settings.uv_cache,
            progress=self.progress,
        )

    def _packages_of(self, release: str) -> Path:
        """Return the packages of a virtual environment, whose links are seen from here as from a machine."""
        layer, *_ = self.ensure_venv(release)
        return next(layer.glob(f"{VENV.lstrip('/')}-{release}/lib/python3*/site-packages"))

    def _ensure_layers(self, recipe: Recipe) -> tuple[Path, ...]:
        """Make layers where they are lacking; nobody waits for layers that are there."""
        self._check()
        if found := self.layers.find(recipe):
            return found
        with self._lock():
            return self.layers.ensure(recipe)

    def _check(self) -> None:
        ensure_debian_packages(MACHINE_PACKAGES, self.progress)
        check_possible(Computer.this())

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Wait while another lab makes the same, after a look whether anything can be made here at all."""
        self._check()
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _state(folder: Path) -> dict[str, int]:
    return {package.name: package.stat().st_mtime_ns for package in folder.glob("*.deb")}
