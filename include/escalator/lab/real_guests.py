"""What a lab with real guests has beside any other: a bridge, a guest to boot. For other labs, nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from escalator.lab.machine.bridge import check_kernel
from escalator.lab.machine.guest import ensure_guest_resources, guest_set
from escalator.lab.machine.qemu_bundle import make_bundle, name_of
from escalator.lab.machine.qemu_store import QemuStore
from escalator.lab.progress import silent
from escalator.lab.servers import ServerSpec, standard_set
from escalator.lab.settings import Hypervisor

if TYPE_CHECKING:
    from pathlib import Path

    from escalator.lab.api import Cloud
    from escalator.lab.settings import LabSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class RealGuests:
    """The real guests of a lab, where it has some.

    :param settings: of the lab.
    """

    settings: LabSettings

    @property
    def are_there(self) -> bool:
        """Tell whether the lab's guests are real."""
        return self.settings.hypervisor == Hypervisor.QEMU

    def check_possible(self) -> None:
        """Refuse where real guests cannot be connected, before anything is made.

        :raises LabError: saying what is missing, or what has the addresses.
        """
        if self.are_there:
            self.settings.bridge.check_possible()
            check_kernel()

    def ensure_bridge(self) -> None:
        """Make the bridge of real guests; the control plane listens there.

        :raises LabError: when something else has its addresses.
        """
        if self.are_there:
            self.settings.bridge.ensure()

    def ensure_bridge_removed(self) -> bool:
        """Remove the bridge and the cables to it; tell whether there was something."""
        return self.are_there and self.settings.bridge.ensure_removed()

    def ensure_resources(self, cloud: Cloud) -> None:
        """Make the image, the flavor and the network of real guests, and the bundle for their nodes."""
        if self.are_there:
            store = QemuStore(settings=self.settings, progress=silent())
            ensure_guest_resources(cloud, store.guest, self.settings.bridge)
            bundle = make_bundle(self.settings.to_release, store.newer.read_versions())
            self.bundle_file.write_text(json.dumps(bundle, indent=1) + "\n")

    @property
    def bundle_file(self) -> Path:
        """Return the bundle that upgrades Nova and the hypervisor of the lab's nodes; JSON is YAML, too."""
        return self.settings.run / f"{name_of(self.settings.to_release)}.yaml"

    def standard_set(self) -> tuple[ServerSpec, ...]:
        """Return the servers of a new lab."""
        make = guest_set if self.are_there else standard_set
        return make(self.settings.hosts, self.settings.servers)
