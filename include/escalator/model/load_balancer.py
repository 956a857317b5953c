"""Octavia's pool members, as far as a switchover looks at them."""

from __future__ import annotations

from dataclasses import dataclass

_SERVING = frozenset({"ONLINE", "NO_MONITOR"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolMember:
    """One member of a pool. The statuses are Octavia's words.

    :ivar weight: its share of new connections; 0: it gets none.
    """

    id: str
    pool_id: str
    address: str
    weight: int
    operating_status: str = ""
    provisioning_status: str = ""
    enabled: bool = True
    backup: bool = False

    @property
    def serves(self) -> bool:
        """Tell whether it gets new connections; NO_MONITOR: Octavia does not look whether it answers."""
        return self.enabled and self.weight > 0 and self.operating_status in _SERVING

    @property
    def is_left(self) -> bool:
        """Tell whether it gets no new connection, and Octavia has taken that to its load balancers."""
        return (self.weight == 0 or not self.enabled) and self.provisioning_status == "ACTIVE"
