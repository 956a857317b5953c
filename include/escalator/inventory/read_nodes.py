"""Read a cloud's compute nodes into an inventory. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from escalator.cloud_manager.cloud import Cloud
from escalator.model.inventory import Inventory, InventoryNode
from escalator.model.lease import Lease
from escalator.upgrade_manager.state.domains import domain_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundNodes:
    """The nodes that a cloud shows, without the parts of their domains, and the leases that are on them."""

    inventory: Inventory
    leases: Mapping[str, Lease]

    def find_busy(self) -> dict[str, str]:
        """Return the hosts that are out under a lease, and that as the reason to let them be."""
        return {
            host: f"it is out under the lease {lease.campaign}:{lease.run}"
            for host, lease in self.leases.items()
        }


def read_inventory_of_cloud(
    cloud: Cloud, name: str, *, addresses: Mapping[str, str], cloud_conn_id: str, ssh_conn_id: str
) -> FoundNodes:
    """Read the nodes of a cloud, their drain domains, where SSH reaches them, and their leases.

    Hosts of Ironic's are no compute nodes: they are left out.

    :param addresses: nova-compute service host -> address; others are reached at their hypervisor's host IP.
    """
    snapshot = cloud.fetch_snapshot(name, domain_of=domain_of)
    known = {**cloud.fetch_addresses(), **addresses}
    nodes = (
        InventoryNode(host=node.host, domain=node.domain, address=known.get(node.host, node.host))
        for node in snapshot.nodes
        if not node.bare_metal
    )
    inventory = Inventory(
        cloud=name,
        taken_at=snapshot.taken_at,
        nodes=tuple(sorted(nodes, key=lambda node: node.host)),
        cloud_conn_id=cloud_conn_id,
        ssh_conn_id=ssh_conn_id,
    )
    return FoundNodes(
        inventory=inventory,
        leases={node.host: node.lease for node in snapshot.nodes if node.lease is not None},
    )
