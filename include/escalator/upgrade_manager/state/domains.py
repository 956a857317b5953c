"""Drain domains: the nodes between which servers can move, and whose drains count against each other."""

from __future__ import annotations

from collections.abc import Iterable

from escalator.model.cloud import CloudSnapshot, Node

NO_AGGREGATE = "none"
"""What stands in a domain's name for the nodes that are in no aggregate of their own."""


def domain_of(cell: str, zone: str, aggregates: Iterable[str]) -> str:
    """Name the drain domain of a node: ``cell1/az1/general``.

    Several aggregates are sorted and joined with ``+``. An aggregate that is called like the zone only makes
    the zone and does not count.

    :param cell: name of the node's cell; servers never move between cells.
    :param zone: availability zone of the node.
    :param aggregates: names of the host aggregates that the node is in.
    """
    own = _own_aggregates(zone, aggregates)
    return f"{cell}/{zone}/{'+'.join(sorted(own)) or NO_AGGREGATE}"


def find_neighbours(snapshot: CloudSnapshot, host: str) -> tuple[Node, ...]:
    """Return the other nodes whose drains count against this one's, sorted by name; none of an unknown host.

    :param host: nova-compute service host.
    """
    node = snapshot.node(host)
    if node is None:
        return ()
    return tuple(sorted((n for n in snapshot.nodes if are_neighbours(node, n)), key=lambda n: n.host))


def are_neighbours(one: Node, other: Node) -> bool:
    """Tell whether two different nodes draw on the same spare capacity.

    They do in the same cell and zone, with the same domain or with an aggregate in common.
    """
    if one.host == other.host or (one.cell, one.zone) != (other.cell, other.zone):
        return False
    return one.domain == other.domain or not _own_aggregates(one.zone, one.aggregates).isdisjoint(
        _own_aggregates(other.zone, other.aggregates)
    )


def _own_aggregates(zone: str, aggregates: Iterable[str]) -> frozenset[str]:
    return frozenset(aggregates) - {zone}
