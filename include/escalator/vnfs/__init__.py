"""Where HA groups come from: the operator's VNF files, Nova's metadata; one interface for both."""

from escalator.vnfs.found import HaGroupSource
from escalator.vnfs.ha_sources import load_ha_sources, vnf_dir
from escalator.vnfs.merge import with_ha_groups

__all__ = ["HaGroupSource", "load_ha_sources", "vnf_dir", "with_ha_groups"]
