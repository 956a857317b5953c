"""What Nova's API tells of its own control plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """The control plane of a cloud at one moment.

    :ivar lowest: the lowest microversion that Nova's API offers, such as 2.1.
    :ivar highest: the highest one, such as 2.103.
    :ivar apart: groups of hosts that are surely in different cells: the records of their nova-compute
        services have the same number, and every cell counts for itself. None: one cell, or no two alike.
    """

    lowest: str
    highest: str
    apart: tuple[tuple[str, ...], ...] = ()

    def find_mixed(self, cells: Mapping[str, str]) -> tuple[str, ...]:
        """Return the hosts that are surely in different cells though they are said to be in one, sorted.

        :param cells: host -> name of its cell, as far as it is known.
        """
        mixed: set[str] = set()
        for hosts in self.apart:
            said = [cells[host] for host in hosts if host in cells]
            if len(set(said)) < len(said):
                mixed.update(hosts)
        return tuple(sorted(mixed))
