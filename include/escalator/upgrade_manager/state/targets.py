"""Targets: which nodes of a snapshot are to be upgraded, and which are upgraded already."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from escalator.model.bundle import COMPUTE, Bundle, Component, NoMechanism
from escalator.model.cloud import CloudSnapshot, Node
from escalator.upgrade_manager.state.hypervisors import HYPERVISOR, is_hypervisor
from escalator.upgrade_manager.versions.comparison import Order, compare_versions


def mark_targets(
    snapshot: CloudSnapshot, bundle: Bundle | None = None, hosts: Collection[str] = ()
) -> CloudSnapshot:
    """Mark the targets: ``hosts``; without them those marked already; without these all to be upgraded.

    A host of Ironic's is none unless it is named, and then it is barred.
    A node counts as upgraded when it is marked so, or runs what the bundle brings (:func:`is_upgraded_to`).
    """
    nodes = [replace(node, upgraded=node.upgraded or is_upgraded_to(node, bundle)) for node in snapshot.nodes]
    targets = set(hosts) or {node.host for node in nodes if node.target}
    targets = targets or {node.host for node in nodes if not (node.upgraded or node.bare_metal)}
    return replace(snapshot, nodes=tuple(replace(node, target=node.host in targets) for node in nodes))


def mark_pending(snapshot: CloudSnapshot, hosts: Collection[str]) -> CloudSnapshot:
    """Return a snapshot in which these hosts do not count as upgraded, whatever their nova-compute is."""
    if not hosts:
        return snapshot
    nodes = (replace(node, upgraded=node.upgraded and node.host not in hosts) for node in snapshot.nodes)
    return replace(snapshot, nodes=tuple(nodes))


def is_upgraded_to(node: Node, bundle: Bundle | None) -> bool:
    """Tell whether a node reports all that a bundle brings; without a bundle it does not.

    Of nova-compute it has to report that very version, another revision of the package is another version.
    Of any other component it must not report an older one; what it does not report of it keeps no node
    pending. What cannot be read is not what the bundle brings. Of a bundle that brings nothing, and reboots
    or has hooks, no version tells whether it was carried out on a node.
    """
    if bundle is None or bundle.target_version(COMPUTE) is None or _does_what_no_version_tells(bundle):
        return False
    return all(_runs(node, component) for component in bundle.components)


def _does_what_no_version_tells(bundle: Bundle) -> bool:
    more = bundle.restarts_machine or any(bundle.hooks.values())
    return more and isinstance(bundle.mechanism, NoMechanism)


def _runs(node: Node, brings: Component) -> bool:
    name = HYPERVISOR if is_hypervisor(brings) else brings.name
    reported = node.versions.get(name)
    if reported is None:
        return name != COMPUTE
    found = compare_versions(reported, brings.to, brings.scheme)
    return found is Order.SAME or (found is Order.NEWER and name != COMPUTE)
