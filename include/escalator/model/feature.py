"""Features: what a server has that decides whether Nova moves it: of flavor, image, ports and shares."""

from __future__ import annotations

from enum import StrEnum


class Feature(StrEnum):
    """What a server has; one without any moves like any other."""

    MEMORY_ENCRYPTION = "memory_encryption"
    VTPM = "vtpm"
    ACCELERATOR = "accelerator"
    ACCELERATOR_PORT = "accelerator_port"
    PCI = "pci"
    VGPU = "vgpu"
    SRIOV_PORT = "sriov_port"
    VDPA_PORT = "vdpa_port"
    SHARE = "share"
    DEDICATED_CPUS = "dedicated_cpus"
    HUGE_PAGES = "huge_pages"
    NUMA_NODES = "numa_nodes"
