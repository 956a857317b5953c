"""Survey: read a cloud's compute nodes into an inventory. Reads only."""

from __future__ import annotations

from collections.abc import Mapping

from escalator.cloud_manager.cloud import Cloud
from escalator.model.inventory import Inventory, InventoryNode
from escalator.upgrade_manager.state.domains import domain_of


def read_inventory_of_cloud(
    cloud: Cloud, name: str, *, addresses: Mapping[str, str], cloud_conn_id: str, ssh_conn_id: str
) -> Inventory:
    """Read the nodes of a cloud, their drain domains and where SSH reaches them.

    :param addresses: nova-compute service host -> address; others are reached at their hypervisor's host IP.
    """
    snapshot = cloud.fetch_snapshot(name, domain_of=domain_of)
    known = {**cloud.fetch_addresses(), **addresses}
    nodes = (
        InventoryNode(host=node.host, domain=node.domain, address=known.get(node.host, node.host))
        for node in snapshot.nodes
    )
    return Inventory(
        cloud=name,
        taken_at=snapshot.taken_at,
        nodes=tuple(sorted(nodes, key=lambda node: node.host)),
        cloud_conn_id=cloud_conn_id,
        ssh_conn_id=ssh_conn_id,
    )
