"""Reads a whole cloud into a snapshot: seven lists at once, then what is not known yet of the nodes.

The first time in a process: 9 calls with the token, plus one for each kind of machine; later 8, however many
nodes and servers there are up to a thousand of either, and one more for each further thousand. Neutron's
agents are one call more, and its ports another. No call is made for one server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from escalator.cloud_manager.agents import fetch_all_agents
from escalator.cloud_manager.api import Record, ServiceApi
from escalator.cloud_manager.control_plane import fetch_control_plane
from escalator.cloud_manager.hypervisors import Hypervisors
from escalator.cloud_manager.migrations import Migrations
from escalator.cloud_manager.placement import Placement, ProviderState
from escalator.cloud_manager.ports import add_port_features, fetch_port_features
from escalator.cloud_manager.records import server_group_of
from escalator.cloud_manager.servers import Servers
from escalator.cloud_manager.services import ComputeServices
from escalator.model.cloud import CloudSnapshot, ComputeService, Hypervisor, Node, ServerGroup

DomainOf = Callable[[str, str, tuple[str, ...]], str]
"""Names the drain domain of a node from its cell, zone and aggregates."""
DEFAULT_CELL = "cell1"
"""The name of every node's cell unless the caller knows better: Nova's API does not tell it."""
CONCURRENT_CALLS = 8
_GROUPS_PAGE = 1000
_NO_PROVIDER = ProviderState(inventory={}, usage={}, traits=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeWords:
    """What the caller knows of nodes and the API does not tell.

    :ivar versions: host -> version of nova-compute, as read on the node.
    :ivar targets: hosts that the campaign is to upgrade.
    :ivar cells: host -> name of its cell.
    """

    target_version: str | None = None
    versions: Mapping[str, str]
    targets: frozenset[str]
    cells: Mapping[str, str]


class SnapshotReader:
    """Reads everything that a decision about a cloud needs."""

    def __init__(
        self,
        compute: ServiceApi,
        services: ComputeServices,
        servers: Servers,
        migrations: Migrations,
        hypervisors: Hypervisors,
        placement: Placement,
        network: ServiceApi,
    ) -> None:
        self._compute = compute
        self._services = services
        self._servers = servers
        self._migrations = migrations
        self._hypervisors = hypervisors
        self._placement = placement
        self._network = network

    def fetch(
        self,
        cloud_name: str,
        *,
        taken_at: datetime,
        domain_of: DomainOf,
        words: NodeWords,
        with_agents: bool,
        with_control_plane: bool = False,
    ) -> CloudSnapshot:
        """Read the cloud; the lists are read at the same time, not at the same instant.

        :param with_agents: read Neutron's agents and ports as well.
        :param with_control_plane: read what Nova tells of its control plane as well.
        :raises TransientError: a cell is down, or a service does not answer.
        """
        with ThreadPoolExecutor(CONCURRENT_CALLS, thread_name_prefix="snapshot") as pool:
            services = pool.submit(self._services.fetch_all)
            aggregates = pool.submit(self.fetch_aggregates)
            hypervisors = pool.submit(self._hypervisors.fetch_all)
            summaries = pool.submit(self._placement.fetch_summaries)
            groups = pool.submit(self.fetch_server_groups)
            soft_deleted = pool.submit(self._servers.fetch_soft_deleted)
            services.result()  # fails first, and best, when a cell is down
            group_of = {member: group.id for group in groups.result() for member in group.members}
            servers = pool.submit(self._servers.fetch_all, group_of)
            agents = pool.submit(fetch_all_agents, self._network) if with_agents else None
            ports = pool.submit(fetch_port_features, self._network) if with_agents else None
            control = pool.submit(fetch_control_plane, self._compute) if with_control_plane else None
            migrations = self._migrations.fetch_unfinished(pool)
            of_host = {hypervisor.host: hypervisor for hypervisor in hypervisors.result()}
            ids = [of_host[s.host].id for s in services.result() if s.host in of_host]
            states = self._placement.fetch_states(ids, summaries.result(), pool)
            nodes = tuple(
                node_of(service, of_host.get(service.host), states, aggregates.result(), domain_of, words)
                for service in services.result()
            )
            everyone = add_port_features(
                (*servers.result(), *soft_deleted.result()), ports.result() if ports else {}
            )
        return CloudSnapshot(
            cloud=cloud_name,
            taken_at=taken_at,
            nodes=nodes,
            servers=tuple(sorted(everyone, key=lambda server: (server.name, server.id))),
            migrations=migrations,
            server_groups=groups.result(),
            agents=agents.result() if agents else (),
            control_plane=control.result() if control else None,
        )

    def fetch_aggregates(self) -> tuple[Record, ...]:
        """Read the host aggregates as Nova lists them. One call."""
        return tuple(self._compute.get("/os-aggregates")["aggregates"])

    def fetch_server_groups(self) -> tuple[ServerGroup, ...]:
        """Read the server groups of all projects: one call for each thousand."""
        groups: list[ServerGroup] = []
        while True:
            query: dict[str, str | int] = {"all_projects": "True", "limit": _GROUPS_PAGE}
            query["offset"] = len(groups)
            page = self._compute.get("/os-server-groups", query)["server_groups"]
            groups.extend(server_group_of(record) for record in page)
            if len(page) < _GROUPS_PAGE:
                return tuple(sorted(groups, key=lambda group: group.id))


def node_of(
    service: ComputeService,
    hypervisor: Hypervisor | None,
    states: Mapping[str, ProviderState],
    aggregates: Iterable[Record],
    domain_of: DomainOf,
    words: NodeWords,
) -> Node:
    """Put together what the lists say of one node."""
    host = service.host
    provider_id = hypervisor.id if hypervisor else None
    state = states.get(provider_id or "", _NO_PROVIDER)
    member_of = tuple(sorted(a["name"] for a in aggregates if host in a["hosts"]))
    cell = words.cells.get(host, DEFAULT_CELL)
    versions = {"nova-compute": words.versions.get(host), "hypervisor": hypervisor and hypervisor.version}
    return Node(
        host=host,
        domain=domain_of(cell, service.zone, member_of),
        cell=cell,
        zone=service.zone,
        aggregates=member_of,
        service_id=service.id,
        hypervisor_hostname=hypervisor.hostname if hypervisor else None,
        hypervisor_type=hypervisor.type if hypervisor else None,
        provider_id=provider_id,
        state=service.state,
        status=service.status,
        disabled_reason=service.disabled_reason,
        forced_down=service.forced_down,
        upgraded=words.target_version is not None and words.versions.get(host) == words.target_version,
        target=host in words.targets,
        inventory=state.inventory,
        usage=state.usage,
        traits=state.traits,
        versions={name: version for name, version in versions.items() if version},
    )
