"""Where HA groups come from: the operator's VNF files, Nova's metadata; one interface for both."""

from escalator.vim_interface.registry.found import HaGroupSource
from escalator.vim_interface.registry.ha_sources import find_vnf_dir, load_ha_sources
from escalator.vim_interface.registry.means import find_means, find_probes
from escalator.vim_interface.registry.merge import add_ha_groups_of

__all__ = [
    "HaGroupSource",
    "add_ha_groups_of",
    "find_means",
    "find_probes",
    "find_vnf_dir",
    "load_ha_sources",
]
