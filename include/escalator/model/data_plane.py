"""What guests run on: software whose change is no matter of the agent alone."""

from __future__ import annotations

import re

_PACKAGES = re.compile(
    r"libvirt-(?:daemon|bin)|qemu-(?:system|kvm|block)|linux-(?:image|modules)-"
    r"|(?:rdo-)?(?:openvswitch|ovn)(?:[0-9-]|$)|kernel(?:-rt)?(?:-(?:core|modules)|$)"
)
_SERVICES = re.compile(
    r"(?:libvirtd|virt[a-z]+d|ovs-vswitchd|ovsdb-server|ovn-controller|openvswitch-switch|openvswitch)(?:\.service)?"
)


def is_under_guests(package: str) -> bool:
    """Tell whether a package, by its name, is of libvirt, QEMU, Open vSwitch, OVN or the kernel."""
    return _PACKAGES.match(package) is not None


def is_service_for_guests(service: str) -> bool:
    """Tell whether a systemd service, by its name, is of libvirt, Open vSwitch or OVN."""
    return _SERVICES.fullmatch(service) is not None
