"""Reads a whole cloud into a snapshot: seven lists at once, then what is not known yet of the nodes.

The first time in a process: 9 calls with the token, plus one for each kind of machine; later 8, however many
nodes and servers there are up to a thousand of either, and one more for each further thousand nodes. Of more
than a thousand servers all are listed now and then only, and what changed since is asked for: 7 calls.
Neutron's agents are one call more, and its ports another. No call is made for one server.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from escalator.cloud_manager.agents import fetch_all_agents
from escalator.cloud_manager.api import Record, ServiceApi
from escalator.cloud_manager.control_plane import fetch_control_plane
from escalator.cloud_manager.hypervisors import Hypervisors
from escalator.cloud_manager.listing import Listing, put_groups
from escalator.cloud_manager.listing_reader import ListingReader
from escalator.cloud_manager.migrations import sort_newest_first
from escalator.cloud_manager.placement import Placement, ProviderState
from escalator.cloud_manager.ports import add_features, fetch_port_features
from escalator.cloud_manager.records import server_group_of
from escalator.cloud_manager.refusals import Refusals
from escalator.cloud_manager.roles import find_partial
from escalator.cloud_manager.services import ComputeServices
from escalator.cloud_manager.shared_look import SharedLook
from escalator.model.cloud import (
    UNKNOWN_CELL,
    CloudSnapshot,
    ComputeService,
    Hypervisor,
    Migration,
    NetworkAgent,
    Node,
    Server,
    ServerGroup,
)
from escalator.model.control_plane import ControlPlane
from escalator.model.errors import ForbiddenError
from escalator.model.feature import Feature
from escalator.model.inventory_settings import ALL_AGGREGATES, AggregateRules
from escalator.model.unread import CloudPart, Unread

DomainOf = Callable[[str, str, tuple[str, ...]], str]
"""Names the drain domain of a node from its cell, zone and aggregates."""
PortFeatures = Mapping[str, frozenset[Feature]]
"""What ports say of servers, by server id."""
DEFAULT_ZONE = "nova"
DEFAULT_CELL = "cell1"
"""The name of every node's cell unless the caller knows better: Nova's API does not tell it."""
CONCURRENT_CALLS = 8
SLOW_LISTS_SECONDS = 300.0
"""How old aggregates, hypervisors and server groups may be for who keeps watch; a step reads all anew."""
_GROUPS_PAGE = 1000
_LEAST_PAGE = 10
"""No server is set to give less than that at once (``[api] max_limit``): a shorter page is the last."""
_NO_PROVIDER = ProviderState(inventory={}, usage={}, traits=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeWords:
    """What the caller knows of nodes and the API does not tell.

    :ivar versions: host -> version of nova-compute, as read on the node.
    :ivar targets: hosts that the campaign is to upgrade.
    :ivar cells: host -> name of its cell; empty: nobody told of cells.
    :ivar aggregates: which host aggregates count.
    """

    target_version: str | None = None
    versions: Mapping[str, str]
    targets: frozenset[str]
    cells: Mapping[str, str]
    aggregates: AggregateRules = ALL_AGGREGATES


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudLists:
    """What was read of a cloud, before anybody's words about its nodes.

    :ivar taken_at: when the reading began (aware).
    :ivar aggregates: names of a host's aggregates, sorted, by host.
    :ivar hypervisors: by host; :ivar states: of resource providers, by id.
    :ivar servers: sorted by name, with their groups; :ivar migrations: the newest first.
    """

    taken_at: datetime
    services: tuple[ComputeService, ...]
    aggregates: Mapping[str, Sequence[str]]
    hypervisors: Mapping[str, Hypervisor]
    states: Mapping[str, ProviderState]
    groups: tuple[ServerGroup, ...]
    servers: tuple[Server, ...]
    migrations: tuple[Migration, ...]
    agents: tuple[NetworkAgent, ...] = ()
    control_plane: ControlPlane | None = None
    unread: tuple[Unread, ...] = ()


class SnapshotReader:
    """Reads everything that a decision about a cloud needs.

    :param clock: returns the time, aware.
    :param roles: returns the roles of the user; None: they are not known.
    """

    def __init__(
        self,
        compute: ServiceApi,
        services: ComputeServices,
        listings: ListingReader,
        hypervisors: Hypervisors,
        placement: Placement,
        network: ServiceApi,
        *,
        clock: Callable[[], datetime],
        roles: Callable[[], frozenset[str] | None] = lambda: None,
    ) -> None:
        self._compute = compute
        self._services = services
        self.listings = listings
        self._placement = placement
        self._network = network
        self._clock = clock
        self._roles = roles
        self._aggregates = SharedLook(self.fetch_aggregates)
        self._hypervisors = SharedLook(lambda: {item.host: item for item in hypervisors.fetch_all()})
        self._groups = SharedLook(self.fetch_server_groups)
        self._grouped: frozenset[str] = frozenset()
        self.watched = SharedLook(partial(self.read, slow_seconds=SLOW_LISTS_SECONDS))

    def fetch(
        self,
        cloud_name: str,
        *,
        domain_of: DomainOf,
        words: NodeWords,
        with_agents: bool = False,
        with_control_plane: bool = False,
        afresh: Collection[str] = (),
        watched_within: float | None = None,
        may_lack: bool = False,
    ) -> CloudSnapshot:
        """Read the cloud; the lists are read at the same time, not at the same instant.

        :param with_agents: read Neutron's agents and ports as well.
        :param with_control_plane: read what Nova tells of its control plane as well.
        :param afresh: hosts whose servers are listed by themselves where only changes of servers are read.
        :param watched_within: a look that all who keep watch share will do when it was begun at most so many
            seconds ago; None: read all of it now.
        :param may_lack: for a check: what the user may not read is named in the snapshot, and empty there.
        :raises ForbiddenError: the user may not read a list.
        :raises TransientError: a cell is down, or a service does not answer.
        """
        if watched_within is None:
            lists = self.read(
                with_agents=with_agents,
                with_control_plane=with_control_plane,
                afresh=afresh,
                may_lack=may_lack,
            )
        else:
            lists = self.watched.get(watched_within)
        if may_lack:
            lists = replace(
                lists, unread=(*lists.unread, *self._find_partial(lists, with_agents=with_agents))
            )
        return make_snapshot(cloud_name, lists, domain_of, words)

    def _find_partial(self, lists: CloudLists, *, with_agents: bool) -> Iterator[Unread]:
        """Find the lists that are shown in part, beside those that are refused."""
        agents = lists.agents if with_agents and self._network.exists() else None
        refused = {unread.part for unread in lists.unread}
        return (u for u in find_partial(self._roles(), agents=agents) if u.part not in refused)

    def read(
        self,
        *,
        with_agents: bool = False,
        with_control_plane: bool = False,
        afresh: Collection[str] = (),
        slow_seconds: float = 0.0,
        may_lack: bool = False,
    ) -> CloudLists:
        """Read the lists; those that change seldom may be ``slow_seconds`` old while hosts and servers stay.

        :param may_lack: note what the user may not read, and go on.
        """
        refused, taken_at = Refusals(may_lack=may_lack), self._clock()
        with ThreadPoolExecutor(CONCURRENT_CALLS, thread_name_prefix="snapshot") as pool:
            services = pool.submit(self._services.fetch_all)
            aggregates = pool.submit(self._aggregates.get, slow_seconds)
            hypervisors = pool.submit(self._hypervisors.get, slow_seconds)
            summaries = pool.submit(self._placement.fetch_summaries)
            groups = pool.submit(self._groups.get, slow_seconds)
            # fails first, and best, when a cell is down; its date is Nova's clock
            found = refused.take_list(CloudPart.SERVICES, services.result)
            agents = pool.submit(fetch_all_agents, self._network) if with_agents else None
            ports = pool.submit(fetch_port_features, self._network) if with_agents else None
            control = pool.submit(fetch_control_plane, self._compute) if with_control_plane else None
            listing = self._list(pool, afresh, refused)
            of_host = refused.take_map(CloudPart.HYPERVISORS, hypervisors.result)
            grouped = refused.take_list(CloudPart.SERVER_GROUPS, groups.result)
            refused.refuse_without_nodes()
            member_of = refused.take_list(CloudPart.AGGREGATES, aggregates.result)
            found = make_services(of_host, member_of) if refused.has(CloudPart.SERVICES) else found
            if slow_seconds:
                of_host, member_of, grouped = self._renew(found, of_host, member_of, listing, grouped)
            self._grouped = frozenset(listing.servers)
            fetch_states = partial(self._fetch_states, found, of_host, summaries, pool)
            states = refused.take_map(CloudPart.PLACEMENT, fetch_states)
            port_features = refused.take_map(CloudPart.PORTS, ports.result) if ports else {}
            return CloudLists(
                taken_at=taken_at,
                services=found,
                aggregates=list_memberships(member_of),
                hypervisors=of_host,
                states=states,
                groups=grouped,
                servers=make_servers(listing, grouped, port_features),
                migrations=sort_newest_first(listing.migrations.values()),
                agents=refused.take_list(CloudPart.AGENTS, agents.result) if agents else (),
                control_plane=control.result() if control else None,
                unread=tuple(refused.found),
            )

    def _renew(
        self,
        services: Iterable[ComputeService],
        of_host: Mapping[str, Hypervisor],
        member_of: tuple[Record, ...],
        listing: Listing,
        groups: tuple[ServerGroup, ...],
    ) -> tuple[Mapping[str, Hypervisor], tuple[Record, ...], tuple[ServerGroup, ...]]:
        """Read the lists that change seldom anew, when hosts or servers are there that they do not know."""
        if not of_host.keys() >= {service.host for service in services}:
            of_host, member_of = self._hypervisors.get(), self._aggregates.get()
        if not listing.servers.keys() <= self._grouped:
            groups = self._groups.get()
        return of_host, member_of, groups

    def _fetch_states(
        self,
        services: Iterable[ComputeService],
        hypervisors: Mapping[str, Hypervisor],
        summaries: Future[dict[str, Record]],
        pool: Executor,
    ) -> dict[str, ProviderState]:
        ids = [hypervisors[service.host].id for service in services if service.host in hypervisors]
        return self._placement.fetch_states(ids, summaries.result(), pool)

    def _list(self, pool: Executor, afresh: Collection[str], refused: Refusals) -> Listing:
        """Read servers and migrations; where only migrations are refused, the servers are known."""
        try:
            return self.listings.read(pool, afresh=afresh)
        except ForbiddenError:
            if not refused.may_lack:
                raise
            nobody = Listing(
                servers={}, migrations={}, read_at=self._clock(), newest=None, whole_at=self._clock()
            )
            listing = refused.take(CloudPart.SERVERS, lambda: self.listings.read_servers(pool), nobody)
            migrations = refused.take_map(CloudPart.MIGRATIONS, lambda: self.listings.read_migrations(pool))
            return replace(listing, migrations=migrations)

    def fetch_aggregates(self) -> tuple[Record, ...]:
        """Read the host aggregates as Nova lists them. One call."""
        return tuple(self._compute.get("/os-aggregates")["aggregates"])

    def fetch_server_groups(self) -> tuple[ServerGroup, ...]:
        """Read the server groups of all projects: one call for each thousand, and one more.

        Nova cuts this list at its own ``max_limit`` without a word and without a link: only an empty page is
        surely the end.
        """
        groups: dict[str, ServerGroup] = {}
        read = 0
        while True:
            query: dict[str, str | int] = {"all_projects": "True", "limit": _GROUPS_PAGE, "offset": read}
            page = [
                server_group_of(r) for r in self._compute.get("/os-server-groups", query)["server_groups"]
            ]
            read += len(page)
            known = len(groups)
            groups |= {group.id: group for group in page}
            if len(page) < _LEAST_PAGE or len(groups) == known:
                return tuple(sorted(groups.values(), key=lambda group: group.id))


def make_snapshot(cloud_name: str, lists: CloudLists, domain_of: DomainOf, words: NodeWords) -> CloudSnapshot:
    """Put lists together, with what the caller knows of the nodes."""
    return CloudSnapshot(
        cloud=cloud_name,
        taken_at=lists.taken_at,
        nodes=tuple(
            node_of(
                service,
                lists.hypervisors.get(service.host),
                lists.states,
                lists.aggregates.get(service.host, ()),
                domain_of,
                words,
            )
            for service in lists.services
        ),
        servers=lists.servers,
        migrations=lists.migrations,
        server_groups=lists.groups,
        agents=lists.agents,
        control_plane=lists.control_plane,
        unread=lists.unread,
    )


def make_servers(
    listing: Listing, groups: Iterable[ServerGroup], port_features: PortFeatures
) -> tuple[Server, ...]:
    """Put servers together with their groups, and with what their ports say."""
    group_of = {member: group.id for group in groups for member in group.members}
    return add_features(put_groups(listing.servers.values(), group_of), port_features)


def list_memberships(aggregates: Iterable[Record]) -> dict[str, list[str]]:
    """Return the names of the aggregates of each host, sorted."""
    names: dict[str, list[str]] = {}
    for aggregate in sorted(aggregates, key=lambda a: a["name"]):
        for host in set(aggregate["hosts"]):
            names.setdefault(host, []).append(aggregate["name"])
    return names


def make_services(
    hypervisors: Mapping[str, Hypervisor], aggregates: Iterable[Record]
) -> tuple[ComputeService, ...]:
    """Make the services of a cloud that does not let us list them, from what hypervisors say of theirs.

    The zone of a host is that of its aggregates, else Nova's own default. Why a service is disabled, and
    whether it was forced down, is not known.
    """
    zones = {
        host: a["availability_zone"] for a in aggregates if a.get("availability_zone") for host in a["hosts"]
    }
    return tuple(
        ComputeService(
            id="",
            host=host,
            zone=zones.get(host, DEFAULT_ZONE),
            state=hypervisor.state,
            status=hypervisor.status,
        )
        for host, hypervisor in sorted(hypervisors.items())
    )


def node_of(
    service: ComputeService,
    hypervisor: Hypervisor | None,
    states: Mapping[str, ProviderState],
    aggregates: Iterable[str],
    domain_of: DomainOf,
    words: NodeWords,
) -> Node:
    """Put together what the lists say of one node."""
    host = service.host
    provider_id = hypervisor.id if hypervisor else None
    state = states.get(provider_id or "", _NO_PROVIDER)
    member_of = words.aggregates.choose(aggregates)
    cell = words.cells.get(host, UNKNOWN_CELL if words.cells else DEFAULT_CELL)
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
