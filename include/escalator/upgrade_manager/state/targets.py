"""Targets: which nodes of a snapshot are to be upgraded, and which are upgraded already."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from escalator.model.bundle import Bundle, Component
from escalator.model.cloud import CloudSnapshot, Node
from escalator.model.errors import InvalidRequestError
from escalator.upgrade_manager.versions.release_version import ReleaseVersion

COMPUTE = "nova-compute"
"""The component whose version tells whether a node is upgraded."""


def mark_targets(
    snapshot: CloudSnapshot, bundle: Bundle | None = None, hosts: Collection[str] = ()
) -> CloudSnapshot:
    """Mark the targets: ``hosts``; without them those marked already; without these all to be upgraded.

    A node counts as upgraded when it is marked so, or runs what the bundle brings of nova-compute.
    """
    brings = next((c for c in bundle.components if c.name == COMPUTE), None) if bundle else None
    nodes = [replace(node, upgraded=node.upgraded or _runs(node, brings)) for node in snapshot.nodes]
    targets = set(hosts) or {node.host for node in nodes if node.target}
    targets = targets or {node.host for node in nodes if not node.upgraded}
    return replace(snapshot, nodes=tuple(replace(node, target=node.host in targets) for node in nodes))


def _runs(node: Node, brings: Component | None) -> bool:
    """Tell whether a node reports the release that a component brings; an unreadable report does not."""
    reported = node.versions.get(COMPUTE)
    if brings is None or reported is None:
        return False
    try:
        wanted = ReleaseVersion.parse(brings.to, brings.scheme)
        return ReleaseVersion.parse(reported, brings.scheme) == wanted
    except InvalidRequestError:
        return False
