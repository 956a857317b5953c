"""The compute nodes: their power switch, their console, their faults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from escalator.lab.config import ControlConfig
from escalator.lab.errors import LabError
from escalator.lab.machine.compute import ComputeMachine
from escalator.lab.machine.machine import find_cgroup
from escalator.lab.machine.node_disk import NodeDisk
from escalator.lab.machine.nova_on_disk import UNIT
from escalator.lab.machine.packaged_nova import PackagedNova
from escalator.lab.machine.qemu_node import QemuMachine
from escalator.lab.machine.qemu_store import QemuStore
from escalator.lab.machine.store import MachineStore
from escalator.lab.machine.venv_nova import VenvNova
from escalator.lab.progress import silent
from escalator.lab.settings import Hypervisor, NovaForm
from escalator.lab.virt.faults import MigrationFault

if TYPE_CHECKING:
    import subprocess

    from escalator.lab.machine.cgroup import Cgroup
    from escalator.lab.machine.nova_on_disk import NovaOnDisk
    from escalator.lab.settings import LabSettings
    from escalator.lab.virt.faults import NodeFaults


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One compute node: a machine with nova-compute.

    :param host: its name, as Nova has it.
    :param config: of the control plane that it belongs to.
    """

    host: str
    config: ControlConfig

    @property
    def settings(self) -> LabSettings:
        """Return the settings of the lab."""
        return self.config.settings

    @property
    def compute(self) -> ComputeMachine:
        """Return the machine, with the disk that the lab was brought up with."""
        settings = self.settings
        if settings.hypervisor == Hypervisor.QEMU:
            return self._find_qemu()
        nova: NovaOnDisk
        match settings.nova:
            case NovaForm.VENV:
                nova, repository = VenvNova(settings=settings), None
            case NovaForm.PACKAGE:
                nova = PackagedNova()
                repository = MachineStore(settings=settings, progress=silent()).repository
            case _:
                assert_never(settings.nova)
        return ComputeMachine(
            host=self.host,
            address=self.address,
            config=self.config,
            layers=NodeDisk.read(settings.run).layers,
            repository=repository,
            nova=nova,
        )

    def _find_qemu(self) -> QemuMachine:
        store = QemuStore(settings=self.settings, progress=silent())
        return QemuMachine(
            host=self.host,
            address=self.address,
            config=self.config,
            layers=NodeDisk.read(self.settings.run).layers,
            repository=store.repository,
            newer=store.newer,
            nova_key=store.nova_key,
        )

    @property
    def address(self) -> str:
        """Return the address of its sshd."""
        return self.settings.address(self.host)

    @property
    def directory(self) -> Path:
        """Return the folder of the machine; what it writes is in ``upper`` there."""
        return self.settings.machine_folder(self.host)

    @property
    def hypervisor(self) -> Path:
        """Return the folder of its guests, faults and guest events."""
        return self.settings.hypervisors / self.host

    @property
    def events_file(self) -> Path:
        """Return the log of what happened to its guests."""
        return self.hypervisor / "guest-events.jsonl"

    @property
    def faults(self) -> NodeFaults:
        """Return the faults that are ordered for it."""
        return self.compute.faults

    @property
    def release(self) -> str:
        """Return the release of Nova on its disk, whether it is on or off."""
        return self.compute.release

    @property
    def is_on(self) -> bool:
        """Tell whether the node has power."""
        return bool(self._cgroup.fetch_processes())

    # -- power

    def start(self) -> None:
        """Switch the node on and wait for its sshd; one that is on is only waited for.

        :raises ServiceFailedError: when it does not come up.
        """
        self.compute.ensure_on()

    def stop(self) -> None:
        """Cut the power: everything in the node is gone at once. A second run does nothing."""
        self._cgroup.ensure_removed()

    def restart(self) -> None:
        """Cut the power and switch the node on again."""
        self.stop()
        self.start()

    def reset(self) -> bool:
        """Bring the node back to the first release, without faults, running.

        :return: whether nova-compute had to be started again.
        """
        return self.compute.reset()

    # -- what a person at the node's console can do

    def kill_compute(self) -> None:
        """Kill nova-compute with SIGKILL; the node stays on, and systemd starts that of a package again.

        :raises LabError: when the node is off.
        """
        self.systemctl("kill", "-s", "KILL", UNIT)

    def is_compute_active(self) -> bool:
        """Tell whether nova-compute runs."""
        return self.compute.is_compute_active()

    def systemctl(self, *words: str) -> str:
        """Run systemctl in the node and return what it prints.

        :raises LabError: when it fails or the node is off.
        """
        return self.console("systemctl", *words).stdout

    def console(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the node, without ssh.

        :raises LabError: when it fails (unless ``check`` is off) or the node is off.
        """
        if not self.is_on:
            raise LabError(f"{self.host} is off", f"escalator lab node start {self.host}")
        return self.compute.machine.console(*command, check=check)

    # -- faults

    def fault(
        self,
        *,
        migrate: MigrationFault | str | None = None,
        seconds: float | None = None,
        hypervisor_version: int | None = None,
        refuse_start_release: str | None = None,
        once: bool = False,
    ) -> None:
        """Order faults; those that are not named stay as they are.

        :param migrate: how migrations from this node go wrong.
        :param seconds: how long each migration takes.
        :param hypervisor_version: the version to report, as one number (8002000 for 8.2.0).
        :param refuse_start_release: the Nova release whose nova-compute exits at its start.
        :param once: whether the migration fault, or the refusal, is gone after it struck.
        :raises LabError: when the node has another hypervisor than the lab's own.
        """
        if self.settings.hypervisor != Hypervisor.SIM:
            raise LabError(
                f"the hypervisor of {self.host} knows no faults", "bring the lab up with --hypervisor sim"
            )
        changes: dict[str, Any] = {}
        if migrate is not None or seconds is not None:
            kind = MigrationFault(migrate or "")
            changes["migrate"] = {"kind": str(kind), "seconds": seconds, "once": once}
        if hypervisor_version is not None:
            changes["hypervisor_version"] = hypervisor_version
        if refuse_start_release is not None:
            changes["refuse_start_release"] = {"release": refuse_start_release, "once": once}
        self.faults.merge(changes)

    def clear_faults(self) -> None:
        """Remove every fault of this node."""
        self.faults.clear()

    # -- files

    def write(self) -> None:
        """Make the node's files; its host key is kept where there is one."""
        self.compute.ensure_written()

    def known_host(self) -> str:
        """Return the line of a known_hosts file that proves this node."""
        machine = self.compute.machine
        return machine.files.known_host(machine.upper)

    @property
    def _cgroup(self) -> Cgroup:
        return find_cgroup(self.host, self.directory)
