"""Where HA groups come from: the operator's VNF files, Nova's metadata; one interface for both."""

from escalator.vim_interface.registry.found import HaGroupSource
from escalator.vim_interface.registry.ha_sources import load_ha_sources, vnf_dir
from escalator.vim_interface.registry.merge import with_ha_groups

__all__ = ["HaGroupSource", "load_ha_sources", "vnf_dir", "with_ha_groups"]
