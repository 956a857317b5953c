"""Read a cloud for a check, as the verbs do that are told its name. Reads only."""

from __future__ import annotations

from escalator.cloud_manager.cloud import Cloud
from escalator.inventory.declared import declare, find_inventory, list_software
from escalator.model.cloud import CloudSnapshot
from escalator.upgrade_manager.state.domains import domain_of
from escalator.upgrade_manager.state.drift import add_software
from escalator.vim_interface.registry import add_ha_groups_of, load_ha_sources
from escalator.vim_interface.registry.pushed import find_pushed_constraints


def read_cloud_for_check(cloud: Cloud, name: str) -> CloudSnapshot:
    """Read all that a check looks at, with its HA groups; what the user may not read is named in it.

    What the nodes run is as old as the inventory: SSH is for others.

    :param name: of the cloud: by it its inventory is found, and what managers of VNFs pushed.
    :raises InvalidRequestError: a VNF file has faults, or the inventory cannot be read.
    :raises EscalatorError: the cloud cannot be read.
    """
    sources = load_ha_sources(pushed=find_pushed_constraints(name))
    inventory = find_inventory(name)
    snapshot = cloud.fetch_snapshot(
        name,
        domain_of=domain_of,
        with_agents=True,
        with_control_plane=True,
        may_lack=True,
        **declare(inventory),
    )
    return add_ha_groups_of(add_software(snapshot, list_software(inventory)), sources)
