"""The bundle that upgrades nodes with real guests: Nova, QEMU and libvirt in one go, with a reboot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from escalator.lab.machine.nova_on_disk import UNIT
from escalator.lab.machine.package_files import PACKAGE, version_of
from escalator.lab.machine.qemu_layers import HYPERVISOR

if TYPE_CHECKING:
    from collections.abc import Mapping

_CARRIES = {
    "qemu-system-x86": {"component": "qemu"},
    "libvirt-daemon-system": {"component": "libvirt"},
}
_RESTARTED = ("libvirtd", "virtlogd", "libvirt-guests")
"""Services of packages that come along."""
_LOST_TRAITS = ("COMPUTE_GRAPHICS_MODEL_QXL",)
"""Of a node with the newer QEMU: Debian has that device in a package of its own since 10."""


def name_of(release: str) -> str:
    """Return the name of the bundle, and so of its file, for a release of Nova."""
    return f"nova-{release.partition('.')[0]}-hypervisor"


def make_bundle(release: str, newer: Mapping[str, str]) -> dict[str, object]:
    """Return a bundle that brings a release of Nova and a newer hypervisor by apt.

    :param newer: package -> version, of the repository of newer hypervisors.
    """
    nova = version_of(release)
    versions = {each["component"]: newer[name] for name, each in _CARRIES.items()}
    carried = [{"name": name, **_CARRIES.get(name, {"version": newer[name]})} for name in HYPERVISOR]
    return {
        "schema": "escalator.bundle/1",
        "name": name_of(release),
        "components": [
            {"name": name, "to": version, "scheme": "deb"}
            for name, version in {"nova-compute": nova, **versions}.items()
        ],
        "mechanism": {
            "type": "apt",
            "packages": [{"name": PACKAGE, "component": "nova-compute", "service": UNIT}, *carried],
            "restarts": list(_RESTARTED),
        },
        "impact": "reboot",
        "reboot": "always",
        "expected": {"upgrade_seconds": 90, "reboot_seconds": 60},
        "expected_changes": list(_LOST_TRAITS),
    }
