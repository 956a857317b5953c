"""From which versions to which one: what a bundle brings to the nodes of a plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from escalator.model.bundle import Component
from escalator.model.cloud import CloudSnapshot, Node
from escalator.upgrade_manager.state.hypervisors import HYPERVISOR, is_hypervisor

UNKNOWN = "unknown"


def list_steps(
    snapshot: CloudSnapshot, hosts: Collection[str], components: Sequence[Component]
) -> list[dict[str, Any]]:
    """Return for each component what it is brought to, and from what on which of these nodes.

    :return: ``component``, ``to`` and ``from``: by number of nodes, each ``version`` (None: it is not known)
        and ``hosts``.
    """
    wanted = frozenset(hosts)
    nodes = [node for node in snapshot.nodes if node.host in wanted]
    return [{"component": c.name, "to": c.to, "from": _list_from(nodes, c)} for c in components]


def _list_from(nodes: Sequence[Node], component: Component) -> list[dict[str, Any]]:
    hosts_of: dict[str | None, list[str]] = defaultdict(list)
    for node in nodes:
        known = node.versions.get(component.name)
        if known is None and is_hypervisor(component):
            known = node.versions.get(HYPERVISOR)
        hosts_of[known].append(node.host)
    ordered = sorted(hosts_of.items(), key=lambda item: (-len(item[1]), item[0] or ""))
    return [{"version": version, "hosts": sorted(found)} for version, found in ordered]


def list_step_lines(steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Give a line for each component: from what, on how many nodes, to what."""
    for step in steps:
        found = (f"{one['version'] or UNKNOWN} ({len(one['hosts'])})" for one in step["from"])
        yield f"{step['component']}: {', '.join(found) or 'no node'} -> {step['to']}"
