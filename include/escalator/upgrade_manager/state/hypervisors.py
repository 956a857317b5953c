"""Hypervisors: a server never moves to an older one (Nova: ``DestinationHypervisorTooOld``)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from escalator.model.bundle import Bundle, Component
from escalator.model.cloud import Node
from escalator.model.errors import InvalidRequestError
from escalator.upgrade_manager.versions.release_version import ReleaseVersion, Scheme

HYPERVISOR = "hypervisor"
"""The component of a node whose version decides where its servers may go."""
_COMPONENTS = (HYPERVISOR, "qemu", "qemu-kvm", "qemu-system-x86")
"""What a bundle may call it."""


def hypervisor_of(node: Node | None) -> ReleaseVersion | None:
    """Return the version of a node's hypervisor; None when it is not reported, or cannot be read.

    :param node: None: it is not known.
    """
    return None if node is None else read_version(node.versions.get(HYPERVISOR, ""))


@cache
def read_version(text: str, scheme: str = Scheme.PBR) -> ReleaseVersion | None:
    """Read a version; None when it cannot be read."""
    try:
        return ReleaseVersion.parse(text, scheme) if text else None
    except InvalidRequestError:
        return None


def is_hypervisor(component: Component) -> bool:
    """Tell whether a component of a bundle is the hypervisor."""
    return component.name in _COMPONENTS


def find_brought_hypervisor(bundle: Bundle | None) -> Component | None:
    """Return the hypervisor that a bundle brings; None when it leaves it alone."""
    if bundle is None:
        return None
    return next((c for c in bundle.components if is_hypervisor(c)), None)


def find_brought_version(bundle: Bundle | None) -> ReleaseVersion | None:
    """Return the version of the hypervisor that a bundle brings; None when it leaves it alone."""
    component = find_brought_hypervisor(bundle)
    return None if component is None else read_version(component.to, component.scheme)


class HypervisorAges:
    """Which hosts of a domain have an older hypervisor. One of unknown version does not count as older."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._versions: dict[str, tuple[str, ReleaseVersion]] = {}
        self._hosts: dict[str, dict[ReleaseVersion, set[str]]] = {}
        for node in nodes:
            version = hypervisor_of(node)
            if version is not None:
                self.note(node, version)

    def note(self, node: Node, version: ReleaseVersion) -> None:
        """Record the version of a node's hypervisor."""
        ages = self._hosts.setdefault(node.domain, {})
        if node.host in self._versions:
            ages[self._versions[node.host][1]].discard(node.host)
        self._versions[node.host] = (node.domain, version)
        ages.setdefault(version, set()).add(node.host)

    def older(self, host: str) -> frozenset[str]:
        """Return the hosts of a host's domain where its servers must not go."""
        if host not in self._versions:
            return frozenset()
        domain, mine = self._versions[host]
        return frozenset().union(*(hosts for version, hosts in self._hosts[domain].items() if version < mine))

    def is_mixed(self, domain: str) -> bool:
        """Tell whether hypervisors of different versions are in a domain."""
        return sum(bool(hosts) for hosts in self._hosts.get(domain, {}).values()) > 1
