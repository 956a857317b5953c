"""Neutron's agents, of one node or of all."""

from __future__ import annotations

import logging

from escalator.cloud_manager.api import ServiceApi
from escalator.cloud_manager.records import read_agent
from escalator.model.cloud import NetworkAgent
from escalator.model.errors import ForbiddenError, InvalidRequestError, NotFoundError

log = logging.getLogger(__name__)


def fetch_agents(network: ServiceApi, host: str) -> tuple[NetworkAgent, ...]:
    """Read the Neutron agents of a host, sorted by binary. One call.

    :return: none when the cloud has no Neutron, or no agent there.
    """
    if not network.exists():
        return ()
    records = network.get("/agents", {"host": host})["agents"]
    return tuple(sorted(map(read_agent, records), key=lambda agent: agent.binary))


def fetch_all_agents(network: ServiceApi) -> tuple[NetworkAgent, ...]:
    """Read every Neutron agent, sorted by host and binary. One call, more where Neutron limits its pages.

    :return: none when the cloud has no Neutron or no agents.
    :raises ForbiddenError: the user may not list them: what they would tell is not known.
    """
    if not network.exists():
        return ()
    try:
        agents = [read_agent(record) for record in network.pages("/agents", "agents")]
    except ForbiddenError:
        raise
    except (InvalidRequestError, NotFoundError) as exc:
        log.warning("network agents are not checked: %s", exc)
        return ()
    return tuple(sorted(agents, key=lambda agent: (agent.host, agent.binary, agent.id)))
