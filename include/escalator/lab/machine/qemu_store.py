"""What the machines with real guests of all labs on this computer share, beside what all machines share."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from escalator.lab.machine.layers import make_draft, run_inside
from escalator.lab.machine.node_disk import NodeDisk
from escalator.lab.machine.qemu_layers import (
    BACKPORTS_MOUNT,
    GUEST_FILES,
    GUEST_RECIPE,
    NEWER,
    NEWER_KEY,
    QEMU_RECIPE,
)
from escalator.lab.machine.repository import Repository
from escalator.lab.machine.store import MachineStore
from escalator.lab.ssh_keys import ensure_key

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class QemuStore(MachineStore):
    """Everything that is made once and kept for nodes with real guests."""

    @property
    def newer(self) -> Repository:
        """Return the repository of what QEMU and libvirt of Debian 12 are upgraded to.

        It is one of its own, so that a machine without a hypervisor is offered none of it.
        """
        return Repository(folder=self.folder / f"newer-{NEWER_KEY}", key=self.repository.key)

    @property
    def nova_key(self) -> Path:
        """Return the private key by which the users ``nova`` of nodes reach each other."""
        return self.folder / "nova-key" / "id_ed25519"

    @property
    def guest(self) -> Path:
        """Return the folder of the guests' kernel and initial file system."""
        return self.layers.folder / GUEST_RECIPE.key / GUEST_FILES

    def ensure_disk(self) -> NodeDisk:
        """Make the disk of the nodes of a lab, their guests, and what both are upgraded to, where they lack.

        :raises LabError: when machines cannot run here, or something cannot be made.
        """
        first, second = self.settings.from_release, self.settings.to_release
        layers = self.ensure_installed(first, on=QEMU_RECIPE, offered=(second,))
        with self._lock():
            self.layers.ensure(GUEST_RECIPE)
            self._ensure_newer()
            self.nova_key.parent.mkdir(exist_ok=True, mode=0o700)
            ensure_key(self.nova_key, owner="nova")
        return NodeDisk(layers=layers)

    def _ensure_newer(self) -> None:
        if self.newer.is_published:
            return
        self.progress.say("fetching a newer hypervisor from Debian's backports")
        folder, upper = self.newer.folder, self.folder / "newer.upper"
        draft = make_draft(folder)
        shutil.rmtree(upper, ignore_errors=True)
        try:
            run_inside(
                self.layers.ensure(QEMU_RECIPE), upper=upper, script=NEWER, binds={draft: BACKPORTS_MOUNT}
            )
        finally:
            shutil.rmtree(upper, ignore_errors=True)
        replace(self.newer, folder=draft).publish(datetime.now(UTC))
        draft.rename(folder)
