"""What makes a machine a compute node of a lab: its share of the configuration, and its hypervisor."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from escalator.lab.config import ControlConfig, render
from escalator.lab.machine.machine import Machine
from escalator.lab.machine.machine_files import REPOSITORY_MOUNT, MachineFiles
from escalator.lab.machine.package_files import HYPERVISORS, PACKAGE, UNIT
from escalator.lab.nodes import HARDWARE
from escalator.lab.virt.faults import NodeFaults

if TYPE_CHECKING:
    from pathlib import Path

    from escalator.lab.machine.repository import Repository

_OPEN = 0o777
_STATUS = "var/lib/dpkg/status"
_VERSION = re.compile(rf"^Package: {PACKAGE}\n(?:\S.*\n|\s.*\n)*?Version: \d+:([^-\n]+)-", re.MULTILINE)


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
    def faults(self) -> NodeFaults:
        """Return the faults that are ordered for its hypervisor."""
        return NodeFaults(folder=self.hypervisor)

    @property
    def release(self) -> str:
        """Return the release of Nova that dpkg has on its disk, whether the machine is on or off."""
        disks = (self.machine.upper, *self.layers)
        status = next(disk / _STATUS for disk in disks if (disk / _STATUS).exists())
        found = _VERSION.search(status.read_text())
        return found[1] if found is not None else ""

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
                texts=self._texts(),
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

    def reset(self, release: str) -> bool:
        """Bring the node to a release without faults, running; its guests stay.

        :param release: that its layers hold.
        :return: whether nova-compute had to be started again.
        :raises ServiceFailedError: when it does not come up.
        """
        self.faults.clear()
        if self.machine.is_on and self.release == release and self.is_compute_active():
            return False
        if self.release != release:
            self.machine.renew_disk()
        self.machine.ensure_cut()
        self.ensure_on()
        return True

    def is_compute_active(self) -> bool:
        """Tell whether nova-compute runs."""
        if not self.machine.is_on:
            return False
        told = self.machine.console("systemctl", "is-active", UNIT, check=False)
        return told.stdout.strip() == "active"

    def kill_compute(self) -> None:
        """Kill nova-compute with SIGKILL; systemd starts it again after two seconds.

        :raises LabError: when the node is off.
        """
        self.machine.console("systemctl", "kill", "--signal=KILL", UNIT)

    def _texts(self) -> dict[str, str]:
        """Return its files of Nova's; its identity is there, as one on its disk would go with the disk."""
        identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{self.config.settings.run}/{self.host}")
        return {
            "etc/nova/nova.conf": render(self.config.compute(host=self.host, address=self.address)),
            "etc/nova/compute_id": str(identity),
        }
