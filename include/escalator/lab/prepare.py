"""Make ready all that a lab is made of: what is lacking is installed or built, once, and kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from escalator.lab.install import Installer
from escalator.lab.machine.possible import Computer, check_rights
from escalator.lab.machine.qemu_store import QemuStore
from escalator.lab.machine.store import MachineStore
from escalator.lab.settings import Hypervisor

if TYPE_CHECKING:
    from escalator.lab.machine.node_disk import NodeDisk
    from escalator.lab.progress import Progress
    from escalator.lab.settings import LabSettings


def prepare(settings: LabSettings, progress: Progress) -> NodeDisk:
    """Bring in whatever is lacking; a second run finds everything and does nothing.

    :return: what is under the disks of the nodes.
    :raises LabError: when a lab cannot run here, or something cannot be installed.
    """
    check_rights(Computer.this())
    installer = Installer(settings=settings, progress=progress)
    installer.ensure_tools()
    with ThreadPoolExecutor(max_workers=2) as pool:
        control_plane = pool.submit(installer.ensure_control_plane)
        kind = QemuStore if settings.hypervisor == Hypervisor.QEMU else MachineStore
        disk = pool.submit(kind(settings=settings, progress=progress).ensure_disk)
        control_plane.result()
        return disk.result()
