"""Neutron's agents: which are a node's, which of them do not report, and which records are only left over.

Neutron's name of a host is its own setting. An agent is a node's when it reports as the nova-compute host or
as its hypervisor; one that is only called alike (``node-01`` and ``node-01.example.org``) is no one's.
"""

from __future__ import annotations

from collections.abc import Iterable

from escalator.model.cloud import NetworkAgent, Node

Agents = tuple[NetworkAgent, ...]


def find_agents(node: Node, agents: Iterable[NetworkAgent]) -> Agents:
    """Return the agents that report as a node, under the name of its nova-compute or of its hypervisor."""
    names = {node.host, node.hypervisor_hostname}
    return tuple(agent for agent in agents if agent.host in names)


def find_lookalikes(node: Node, agents: Iterable[NetworkAgent]) -> Agents:
    """Return the agents whose host is called as a node is, but for the domain or the case of letters."""
    mine = {_first_label(name) for name in (node.host, node.hypervisor_hostname) if name}
    return tuple(agent for agent in agents if _first_label(agent.host) in mine)


def find_dead(agents: Iterable[NetworkAgent]) -> Agents:
    """Return those of a node's agents that do not report, and of whose kind none does."""
    found = tuple(agents)
    living = {agent.binary for agent in found if agent.alive}
    return tuple(agent for agent in found if not agent.alive and agent.binary not in living)


def find_stale(agents: Iterable[NetworkAgent]) -> Agents:
    """Return the records that nothing reports under, beside a living agent of the same kind.

    A node that was installed anew, or given another id, leaves such a record.
    """
    found = tuple(agents)
    dead = {agent.id for agent in find_dead(found)}
    return tuple(agent for agent in found if not agent.alive and agent.id not in dead)


def _first_label(name: str) -> str:
    return name.partition(".")[0].casefold()
