"""Who stands in for whom, and who manages what: HA groups from files and metadata, managers of VNFs."""

from __future__ import annotations

from escalator.vim_interface.registry.found import HaGroupSource
from escalator.vim_interface.registry.ha_sources import find_vnf_dir, load_ha_sources, read_vnf_names
from escalator.vim_interface.registry.means import SwitchMeans, find_means, find_probes
from escalator.vim_interface.registry.merge import add_ha_groups_of
from escalator.vim_interface.registry.vnfms import Vnfms, load_vnfms

__all__ = [
    "HaGroupSource",
    "SwitchMeans",
    "Vnfms",
    "add_ha_groups_of",
    "find_means",
    "find_probes",
    "find_vnf_dir",
    "load_ha_sources",
    "load_vnfms",
    "read_vnf_names",
]
