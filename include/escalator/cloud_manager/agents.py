"""Neutron's agents on a node."""

from __future__ import annotations

from escalator.cloud_manager.api import ServiceApi
from escalator.cloud_manager.records import agent_of
from escalator.model.cloud import NetworkAgent


def fetch_agents(network: ServiceApi, host: str) -> tuple[NetworkAgent, ...]:
    """Read the Neutron agents of a host, sorted by binary. One call.

    :return: none when the cloud has no Neutron, or no agent there.
    """
    if not network.exists():
        return ()
    records = network.get("/agents", {"host": host})["agents"]
    return tuple(sorted(map(agent_of, records), key=lambda agent: agent.binary))
