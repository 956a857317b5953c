"""Refusals: what of a server makes Nova refuse its move although its state would allow it.

It stands in the decorators of ``nova/compute/api.py`` and in ``nova/conductor/tasks/live_migrate.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from escalator.model.cloud import Server
from escalator.model.feature import Feature
from escalator.upgrade_manager.state.capacity import is_moved_cold
from escalator.upgrade_manager.versions.release_version import ReleaseVersion

RUNNING = frozenset({"running", "paused"})
"""Power states in which Nova moves a server live."""
LEAST_QEMU_FOR_VGPU = ReleaseVersion(major=8, minor=1)
"""The oldest hypervisor that moves a server with mediated devices live."""

_NEVER: Mapping[Feature, str] = MappingProxyType(
    {
        Feature.ACCELERATOR: "an accelerator (accel:device_profile)",
        Feature.ACCELERATOR_PORT: "a port with an accelerator",
        Feature.SHARE: "a share of Manila",
    }
)
"""What Nova moves neither live nor cold."""
_NOT_LIVE: Mapping[Feature, str] = MappingProxyType(
    {
        Feature.MEMORY_ENCRYPTION: "encrypted memory (hw:mem_encryption)",
        Feature.VTPM: "a virtual TPM whose secret is not the host's (hw:tpm_secret_security)",
        Feature.PCI: "a PCI device that is not marked live_migratable",
    }
)
"""What Nova moves cold only."""


def find_fixed(server: Server) -> tuple[str, ...]:
    """Return in words what of a server Nova moves neither live nor cold."""
    return tuple(words for feature, words in _NEVER.items() if feature in server.features)


def is_fixed_by_share(server: Server) -> bool:
    """Tell whether a share alone keeps a server where it is: what can be detached."""
    return server.features & _NEVER.keys() == {Feature.SHARE}


def find_not_live(server: Server, hypervisor: ReleaseVersion | None = None) -> tuple[str, ...]:
    """Return in words what keeps a server from a live move, and not from a cold one.

    :param hypervisor: that of its node; None: not known, so that nothing is said by it.
    """
    found = [words for feature, words in _NOT_LIVE.items() if feature in server.features]
    if Feature.VGPU in server.features and hypervisor is not None and hypervisor < LEAST_QEMU_FOR_VGPU:
        found.append(f"a vGPU, which {hypervisor} does not move live (QEMU 8.1 and libvirt 8.6 do)")
    return tuple(found)


def is_powered_off(server: Server) -> bool:
    """Tell whether a server is active for Nova while its guest does not run."""
    return server.vm_state == "active" and server.power_state not in RUNNING


def is_refused(server: Server, hypervisor: ReleaseVersion | None = None) -> bool:
    """Tell whether Nova would refuse to move a server in the way that its state and its owner allow."""
    if find_fixed(server):
        return True
    return not is_moved_cold(server) and (is_powered_off(server) or bool(find_not_live(server, hypervisor)))
