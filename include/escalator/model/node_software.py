"""What a node runs, component by component: name -> version, as it was read on the node itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from escalator.model.bundle import COMPUTE

Software = Mapping[str, str]
"""Component -> version; what is not known is not in it."""
OS, KERNEL, LIBVIRT, QEMU = "os", "kernel", "libvirt", "qemu"
OPENVSWITCH, OVN = "openvswitch", "ovn"
_ORDER = (OS, KERNEL, LIBVIRT, QEMU, COMPUTE, OPENVSWITCH, OVN)


def sort_components(names: Iterable[str]) -> tuple[str, ...]:
    """Sort names of components from the system up to the agents; those that are not known come last."""
    places = {name: place for place, name in enumerate(_ORDER)}
    return tuple(sorted(set(names), key=lambda name: (places.get(name, len(places)), name)))
