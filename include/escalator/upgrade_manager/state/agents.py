"""Neutron's agents: which are a node's, which of them do not report, and which records are only left over.

Neutron's name of a host is its own setting. An agent is a node's when it reports as the nova-compute host or
as its hypervisor; one that is only called alike (``node-01`` and ``node-01.example.org``) is no one's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from escalator.model.cloud import NetworkAgent, Node

Agents = tuple[NetworkAgent, ...]


class AgentsByHost:
    """The agents of a cloud, to be asked for those of a node: each question costs the same in any cloud.

    :param nodes: those of the cloud: what reports under the name of one is no other's, however it is called.
    """

    def __init__(self, agents: Iterable[NetworkAgent], nodes: Iterable[Node] = ()) -> None:
        self._taken = frozenset(name for node in nodes for name in _names(node))
        self._hosts: dict[str, list[NetworkAgent]] = {}
        self._labels: dict[str, list[NetworkAgent]] = {}
        for agent in agents:
            self._hosts.setdefault(agent.host, []).append(agent)
            self._labels.setdefault(_first_label(agent.host), []).append(agent)

    def find(self, node: Node) -> Agents:
        """Return the agents that report as a node: under the name of its nova-compute or its hypervisor."""
        return tuple(agent for name in _names(node) for agent in self._hosts.get(name, ()))

    def find_lookalikes(self, node: Node) -> Agents:
        """Return the agents whose host is called as a node is, but for the domain or the case of letters."""
        names = _names(node)
        labels = dict.fromkeys(map(_first_label, names))
        alike = (agent for label in labels for agent in self._labels.get(label, ()))
        return tuple(agent for agent in alike if agent.host in names or agent.host not in self._taken)


def _names(node: Node) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in (node.host, node.hypervisor_hostname) if name))


def find_dead(agents: Iterable[NetworkAgent]) -> Agents:
    """Return those of a node's agents that do not report, and of whose kind none does."""
    found = tuple(agents)
    living = {agent.binary for agent in found if agent.alive}
    return tuple(agent for agent in found if not agent.alive and agent.binary not in living)


def find_missing(agents: Iterable[NetworkAgent], known: Collection[str] | None) -> tuple[str, ...]:
    """Return the binaries of the agents that a node should have alive and has not.

    :param known: binaries that were alive before, of which a record that is gone counts as dead; None: it is
        not known: then every one that does not report.
    """
    found = tuple(agents)
    if known is None:
        return tuple(agent.binary for agent in find_dead(found))
    return tuple(sorted(set(known) - {agent.binary for agent in found if agent.alive}))


def find_stale(agents: Iterable[NetworkAgent]) -> Agents:
    """Return the records that nothing reports under, beside a living agent of the same kind.

    A node that was installed anew, or given another id, leaves such a record.
    """
    found = tuple(agents)
    dead = {agent.id for agent in find_dead(found)}
    return tuple(agent for agent in found if not agent.alive and agent.id not in dead)


def _first_label(name: str) -> str:
    label = name.partition(".")[0]
    return name if label.isdecimal() else label.casefold()  # that of an address names no host
