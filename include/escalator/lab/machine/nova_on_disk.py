"""How nova-compute gets onto the disk of a machine, and back to its first release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from escalator.lab.machine.machine import Machine

UNIT = "nova-compute"


class NovaOnDisk(Protocol):
    """One form of nova-compute; the uppermost layer of the machine's disk has its first release."""

    @property
    def texts(self) -> Mapping[str, str]:
        """Return path in the machine -> content of what this form needs beside its layer."""

    @property
    def binds(self) -> Mapping[Path, str]:
        """Return folder of this computer -> where the machine sees it, writable."""

    @property
    def shown(self) -> Mapping[Path, str]:
        """Return folder of this computer -> where the machine sees it, read-only."""

    def read_release(self, disks: Sequence[Path]) -> str:
        """Return the release that a disk holds, whether its machine is on or off; empty where it has none.

        :param disks: its layers, the one that the machine writes to first.
        """

    def restore(self, machine: Machine) -> bool:
        """Bring the disk back to the release of its layers; the machine may be off afterwards.

        :return: whether something was changed that the running nova-compute does not know of.
        """
