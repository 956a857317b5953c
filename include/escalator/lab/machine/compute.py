"""What makes a machine a compute node of a lab: its share of the configuration, and its hypervisor."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from escalator.lab.config import ControlConfig, render
from escalator.lab.machine.machine import Machine
from escalator.lab.machine.machine_files import REPOSITORY_MOUNT, MachineFiles
from escalator.lab.machine.package_files import HYPERVISORS
from escalator.lab.nodes import HARDWARE

if TYPE_CHECKING:
    from pathlib import Path

    from escalator.lab.machine.repository import Repository

_OPEN = 0o777


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeMachine:
    """A compute node of the kind ``sim``: a machine with the lab's own hypervisor.

    :param host: its name, as Nova has it.
    :param address: of its sshd, on loopback.
    :param config: of the control plane that it belongs to.
    :param layers: of its disk; nova-compute of the first release is installed in the uppermost one.
    :param repository: that it takes packages from.
    """

    host: str
    address: str
    config: ControlConfig
    layers: tuple[Path, ...]
    repository: Repository

    @property
    def hypervisor(self) -> Path:
        """Return the folder of its guests, faults and guest events."""
        return self.config.settings.run / "hypervisors" / self.host

    @property
    def machine(self) -> Machine:
        """Return the machine."""
        settings = self.config.settings
        return Machine(
            files=MachineFiles(
                name=self.host,
                address=self.address,
                ssh_port=settings.ssh_port,
                authorized_key=settings.ssh_key.with_suffix(".pub").read_text(),
                repository_key=self.repository.key.public.read_text(),
                texts={
                    "etc/nova/nova.conf": render(self.config.compute(host=self.host, address=self.address))
                },
            ),
            folder=settings.run / "machines" / self.host,
            layers=self.layers,
            binds={self.hypervisor.parent: HYPERVISORS},
            shown={self.repository.folder: REPOSITORY_MOUNT},
        )

    def ensure_on(self) -> None:
        """Make its hypervisor, where it has none, and switch it on. A second run changes nothing.

        The folder is open to all: in a move, the user ``nova`` of one machine writes into that of another.

        :raises ServiceFailedError: when it does not come up.
        """
        self.hypervisor.mkdir(parents=True, exist_ok=True)
        for folder in (self.hypervisor.parent, self.hypervisor):
            folder.chmod(_OPEN)
        hardware = self.hypervisor / "hardware.json"
        if not hardware.exists():
            hardware.write_text(json.dumps(HARDWARE))
        self.machine.ensure_on()
