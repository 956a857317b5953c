"""nova-compute as a Debian package, for machines that are upgraded by apt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from escalator.lab.machine.package_files import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from escalator.lab.machine.machine import Machine

_STATUS = "var/lib/dpkg/status"
_VERSION = re.compile(rf"^Package: {PACKAGE}\n(?:\S.*\n|\s.*\n)*?Version: \d+:([^-\n]+)-", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PackagedNova:
    """nova-compute that dpkg has installed; driver, unit and accounts are in the package."""

    @property
    def texts(self) -> Mapping[str, str]:
        """Return nothing: all is in the package."""
        return {}

    @property
    def binds(self) -> Mapping[Path, str]:
        """Return nothing: all is on the disk."""
        return {}

    @property
    def shown(self) -> Mapping[Path, str]:
        """Return nothing: all is on the disk."""
        return {}

    def read_release(self, disks: Sequence[Path]) -> str:
        """Return the release that dpkg has on a disk."""
        status = next((disk / _STATUS for disk in disks if (disk / _STATUS).exists()), None)
        found = _VERSION.search(status.read_text()) if status is not None else None
        return found[1] if found is not None else ""

    def restore(self, machine: Machine) -> bool:
        """Give the machine a new disk where dpkg has done anything: installed, broken or held a package."""
        if not (machine.upper / _STATUS).exists():
            return False
        machine.renew_disk()
        return True
