"""The inventory: the nodes that DAGs are generated from, as a file (``escalator.inventory/1``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

SCHEMA = "escalator.inventory/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryNode:
    """One compute node: its service host, its drain domain and where SSH reaches it.

    :ivar part: number of the DAG that has it, of a domain that is cut into several; None: the one without.
    """

    host: str
    domain: str
    address: str
    part: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The nodes of one cloud at ``taken_at`` and the ids of the Airflow connections that reach them."""

    cloud: str
    taken_at: datetime
    nodes: tuple[InventoryNode, ...] = ()
    cloud_conn_id: str = "openstack_default"
    ssh_conn_id: str = "escalator_ssh"
    extra: dict[str, str] = field(default_factory=dict)

    def domains(self) -> tuple[str, ...]:
        """Return the drain domains, sorted."""
        return tuple(sorted({n.domain for n in self.nodes}))

    def hosts(self, domain: str) -> tuple[str, ...]:
        """Return the hosts of a domain, sorted."""
        return tuple(sorted(n.host for n in self.nodes if n.domain == domain))
