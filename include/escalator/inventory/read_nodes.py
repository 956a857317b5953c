"""Read a cloud's compute nodes into an inventory. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from escalator.cloud_manager.cloud import Cloud
from escalator.model.cloud import UNKNOWN_CELL, CloudSnapshot
from escalator.model.inventory import Inventory, InventoryNode
from escalator.model.inventory_settings import NOTHING_DECLARED, InventorySettings
from escalator.model.lease import Lease
from escalator.model.wording import name_some
from escalator.upgrade_manager.state.domains import domain_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundNodes:
    """The nodes that a cloud shows, without the parts of their domains, and the leases that are on them.

    :ivar warnings: what a person should see to, such as nodes of which nobody knows the cell.
    """

    inventory: Inventory
    leases: Mapping[str, Lease]
    warnings: tuple[str, ...] = ()

    def find_busy(self) -> dict[str, str]:
        """Return the hosts that are out under a lease, and that as the reason to let them be."""
        return {
            host: f"it is out under the lease {lease.campaign}:{lease.run}"
            for host, lease in self.leases.items()
        }


def read_inventory_of_cloud(
    cloud: Cloud,
    name: str,
    *,
    addresses: Mapping[str, str],
    cloud_conn_id: str,
    ssh_conn_id: str,
    settings: InventorySettings = NOTHING_DECLARED,
    told: Mapping[str, str] = MappingProxyType({}),
) -> FoundNodes:
    """Read the nodes of a cloud, their drain domains, where SSH reaches them, and their leases.

    Hosts of Ironic's are no compute nodes: they are left out.

    :param addresses: nova-compute service host -> address; others are reached at their hypervisor's host IP.
    :param settings: what the operator declares; of a host's cell it goes before what Nova told.
    :param told: host -> name of its cell, as Nova told it elsewhere.
    :raises InvalidRequestError: by the settings a host is in two cells.
    """
    hosts = [service.host for service in cloud.fetch_services()] if settings.cells else []
    known = {host: cell for host, cell in told.items() if cell != UNKNOWN_CELL}
    cells = {**known, **settings.assign_cells(hosts)}
    snapshot = cloud.fetch_snapshot(
        name,
        domain_of=domain_of,
        cells=cells,
        aggregates=settings.aggregates,
        with_control_plane=True,
    )
    addresses = {**cloud.fetch_addresses(), **addresses}
    inventory = Inventory(
        cloud=name,
        taken_at=snapshot.taken_at,
        nodes=_list_nodes(snapshot, addresses, with_cells=bool(cells)),
        cloud_conn_id=cloud_conn_id,
        ssh_conn_id=ssh_conn_id,
        aggregates=settings.aggregates,
        controller=settings.controller,
        power=settings.power,
        alerts=settings.alerts,
        dump=settings.dump,
        images=settings.images,
        notify=settings.notify,
    )
    return FoundNodes(
        inventory=inventory,
        leases={node.host: node.lease for node in snapshot.nodes if node.lease is not None},
        warnings=tuple(_warn_of_cells(snapshot, cells)),
    )


def _list_nodes(
    snapshot: CloudSnapshot, addresses: Mapping[str, str], *, with_cells: bool
) -> tuple[InventoryNode, ...]:
    """List what can be upgraded, by name: hosts of Ironic's cannot."""
    nodes = (
        InventoryNode(
            host=node.host,
            domain=node.domain,
            address=addresses.get(node.host, node.host),
            cell=node.cell if with_cells else None,
        )
        for node in snapshot.nodes
        if not node.bare_metal
    )
    return tuple(sorted(nodes, key=lambda node: node.host))


def _warn_of_cells(snapshot: CloudSnapshot, cells: Mapping[str, str]) -> Iterator[str]:
    computes = [node.host for node in snapshot.nodes if not node.bare_metal]
    unknown = [host for host in computes if cells and host not in cells]
    if unknown:
        yield f"nobody tells the cell of {name_some(unknown)}: no server is moved there or from there"
    control = snapshot.control_plane
    mixed = control.find_mixed({node.host: node.cell for node in snapshot.nodes}) if control else ()
    if mixed:
        yield (
            f"Nova has several cells, and {name_some(mixed)} are not all in one: no campaign begins there "
            "-> write the cells into the inventory settings, or name a controller there"
        )
