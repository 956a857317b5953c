"""What makes a machine a compute node of a lab: its share of the configuration, and its hypervisor."""

from __future__ import annotations

import contextlib
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from escalator.lab.config import ControlConfig, render
from escalator.lab.errors import LabError
from escalator.lab.machine.machine import Machine
from escalator.lab.machine.machine_files import REPOSITORY_MOUNT, MachineFiles
from escalator.lab.machine.nova_on_disk import UNIT, NovaOnDisk
from escalator.lab.machine.package_files import HYPERVISORS
from escalator.lab.machine.packaged_nova import PackagedNova
from escalator.lab.virt.faults import NodeFaults

if TYPE_CHECKING:
    from pathlib import Path

    from escalator.lab.machine.repository import Repository

HARDWARE = {
    "vcpus": 16,
    "memory_mib": 65536,
    "disk_gib": 1000,
    "bandwidth_mib_per_second": 1024,
    "cold_migration_seconds": 1.0,
    "downtime_ms": 80,
    "hypervisor_version": 8002000,
}
_OPEN_FOLDER, _OPEN_FILE = 0o777, 0o666
_SHARED = ("guest-events.jsonl", "guests.lock", "faults.lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeMachine:
    """A compute node of the kind ``sim``: a machine with the lab's own hypervisor.

    :param host: its name, as Nova has it.
    :param address: of its sshd, on loopback.
    :param config: of the control plane that it belongs to.
    :param layers: of its disk; nova-compute of the first release is in the uppermost one.
    :param repository: that it takes packages from; None where there is none.
    :param nova: how nova-compute is on its disk.
    """

    host: str
    address: str
    config: ControlConfig
    layers: tuple[Path, ...]
    repository: Repository | None = None
    nova: NovaOnDisk = field(default_factory=PackagedNova)

    @property
    def hypervisor(self) -> Path:
        """Return the folder of its guests, faults and guest events."""
        return self.config.settings.hypervisors / self.host

    @property
    def faults(self) -> NodeFaults:
        """Return the faults that are ordered for its hypervisor."""
        return NodeFaults(folder=self.hypervisor)

    @property
    def folder(self) -> Path:
        """Return the folder of the machine: its disk, and the log of its console."""
        return self.config.settings.machine_folder(self.host)

    @property
    def release(self) -> str:
        """Return the release of Nova on its disk, whether the machine is on or off; empty without a disk."""
        return self.nova.read_release((self.folder / "upper", *self.layers))

    @property
    def machine(self) -> Machine:
        """Return the machine."""
        settings, repository = self.config.settings, self.repository
        packages = {repository.folder: REPOSITORY_MOUNT} if repository is not None else {}
        return Machine(
            files=MachineFiles(
                name=self.host,
                address=self.address,
                ssh_port=settings.ssh_port,
                authorized_key=settings.ssh_key.with_suffix(".pub").read_text(),
                repository_key=repository.key.public.read_text() if repository is not None else "",
                texts=self._texts(),
            ),
            folder=self.folder,
            layers=self.layers,
            binds={self.hypervisor.parent: HYPERVISORS, **self.nova.binds},
            shown={**packages, **self.nova.shown},
        )

    def ensure_written(self) -> None:
        """Make its hypervisor and its files, before its first start. A second run changes nothing."""
        self._ensure_hypervisor()
        machine = self.machine
        machine.files.ensure_written(machine.upper)

    def ensure_on(self) -> None:
        """Switch it on; one that is on is only waited for.

        :raises ServiceFailedError: when it does not come up.
        """
        self._ensure_hypervisor()
        self.machine.ensure_on()

    def reset(self) -> bool:
        """Bring the node to its first release without faults, running; its guests stay.

        :return: whether nova-compute had to be started again.
        :raises LabError: when it does not come up.
        """
        self.faults.clear()
        machine = self.machine
        was_on = machine.is_on
        if was_on:
            machine.wait_for_sshd()
        changed = self.nova.restore(machine)
        stays_on = was_on and machine.is_on
        self.ensure_on()
        if not stays_on:
            return True
        if changed or not self.is_compute_active():
            machine.console("systemctl", "restart", UNIT)
            return True
        return False

    def is_compute_active(self) -> bool:
        """Tell whether nova-compute runs."""
        with contextlib.suppress(LabError):  # the power may go at any moment
            told = self.machine.console("systemctl", "is-active", UNIT, check=False)
            return told.stdout.strip() == "active"
        return False

    def _ensure_hypervisor(self) -> None:
        """Make the folder of its hypervisor, where it has none.

        It is open to all: in a move, the user ``nova`` of one machine writes into that of another.
        """
        self.hypervisor.mkdir(parents=True, exist_ok=True)
        for folder in (self.hypervisor.parent, self.hypervisor):
            folder.chmod(_OPEN_FOLDER)
        for path in (self.hypervisor / name for name in _SHARED):
            path.touch()
            path.chmod(_OPEN_FILE)
        hardware = self.hypervisor / "hardware.json"
        if not hardware.exists():
            hardware.write_text(json.dumps(HARDWARE))

    def _texts(self) -> dict[str, str]:
        """Return its files of Nova's; its identity is there, as one on its disk would go with the disk."""
        identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{self.config.settings.run}/{self.host}")
        return {
            "etc/nova/nova.conf": render(self.config.compute(host=self.host, address=self.address)),
            "etc/nova/compute_id": str(identity),
            **self.nova.texts,
        }
