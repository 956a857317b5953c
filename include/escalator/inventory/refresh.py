"""Refresh: from the inventory that was and the nodes that are there now to the next inventory.

A node keeps its DAG, so its drain domain and its part, as long as somebody works on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from escalator.inventory.parts import place_nodes
from escalator.model.inventory import Inventory, InventoryNode


@dataclass(frozen=True, slots=True, kw_only=True)
class PutOff:
    """A node that would have changed its DAG, and why it did not yet.

    :ivar now: the drain domain that the cloud shows; None: it shows no such node.
    """

    host: str
    domain: str
    now: str | None
    why: str

    def __str__(self) -> str:
        """Say what was put off and why."""
        if self.now is None:
            return f"{self.host} is not in the cloud any more; it stays in the inventory: {self.why}"
        return f"{self.host} stays in {self.domain}, it is in {self.now} now: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """The next inventory, and the nodes that it leaves where they were."""

    inventory: Inventory
    put_off: tuple[PutOff, ...] = ()


def find_moved(before: Inventory, found: Inventory) -> tuple[str, ...]:
    """Return the hosts that would leave their DAG: in another domain now, or gone."""
    domains = {node.host: node.domain for node in found.nodes}
    return tuple(node.host for node in before.nodes if domains.get(node.host) != node.domain)


def make_refresh(before: Inventory | None, found: Inventory, busy: Mapping[str, str]) -> Refresh:
    """Make the next inventory; nodes that somebody works on stay where they are.

    :param before: the inventory so far; None: there is none that can be read.
    :param found: the nodes as the cloud shows them, without parts.
    :param busy: host -> why it must keep its DAG.
    """
    if before is None:
        return Refresh(inventory=replace(found, nodes=place_nodes(found.nodes, {})))
    now = {node.host: node for node in found.nodes}
    kept = {node.host: node for node in before.nodes}
    stay = {host: busy[host] for host in find_moved(before, found) if host in busy}
    nodes = [node for node in found.nodes if node.host not in stay]
    nodes += [_keep(kept[host], now.get(host)) for host in stay]
    return Refresh(
        inventory=replace(found, nodes=place_nodes(nodes, kept)),
        put_off=tuple(
            PutOff(
                host=host, domain=kept[host].domain, now=now[host].domain if host in now else None, why=why
            )
            for host, why in sorted(stay.items())
        ),
    )


def _keep(before: InventoryNode, now: InventoryNode | None) -> InventoryNode:
    """Return a node in the domain it was in, at the address that it has now."""
    return before if now is None else replace(now, domain=before.domain)
