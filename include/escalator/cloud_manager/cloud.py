"""One OpenStack cloud: the face of this package."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from openstack.connection import Connection

from escalator.cloud_manager.agents import fetch_agents
from escalator.cloud_manager.api import find_api
from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.canary import NO_WISH, Canaries
from escalator.cloud_manager.canary_checks import CanaryChecks
from escalator.cloud_manager.hypervisors import Hypervisors
from escalator.cloud_manager.instance_ha import InstanceHa
from escalator.cloud_manager.kept_state import fetch_kept_state
from escalator.cloud_manager.listing_reader import ListingReader
from escalator.cloud_manager.listing_store import ListingStore
from escalator.cloud_manager.load_balancers import LoadBalancers
from escalator.cloud_manager.migrations import Migrations
from escalator.cloud_manager.network import Network
from escalator.cloud_manager.placement import Inventories, Placement
from escalator.cloud_manager.ports import fetch_port_features
from escalator.cloud_manager.providers import Providers
from escalator.cloud_manager.quotas import Quotas
from escalator.cloud_manager.roles import find_roles
from escalator.cloud_manager.server_images import ServerImages
from escalator.cloud_manager.servers import Servers
from escalator.cloud_manager.services import ComputeServices
from escalator.cloud_manager.shared_look import Seen, SharedLook, WatchCost
from escalator.cloud_manager.shares import Shares, find_manila
from escalator.cloud_manager.snapshot_reader import CONCURRENT_CALLS, DomainOf, NodeWords, SnapshotReader
from escalator.model.canary import CanaryFault, CanaryWish
from escalator.model.cloud import (
    CloudSnapshot,
    ComputeService,
    Hypervisor,
    Migration,
    NetworkAgent,
    Node,
    Server,
)
from escalator.model.errors import NotFoundError
from escalator.model.feature import Feature
from escalator.model.inventory_settings import ALL_AGGREGATES, AggregateRules


class Cloud:
    """Reads a cloud and writes the little that an upgrade needs. Methods raise the errors of the model.

    Threads may share it. What it keeps between calls are inventories of machines by their capacities,
    the canary's flavor and image, and of a large cloud its servers, which the next look brings up to date.

    :ivar network: floating IPs and ports; :ivar load_balancers: Octavia's; :ivar quotas: Nova's.
    :ivar instance_ha: Masakari's hosts and recoveries.
    :ivar providers: Placement's, one by one.
    :ivar canary: what the operator of the cloud wants canaries to be made of; :ivar canaries: those.
    :param counter: counts the requests of this connection.
    :param sleep: waits that many seconds.
    :param clock: returns the time, aware.
    :param listings: where the servers of a large cloud are kept from process to process; None: nowhere.
    """

    def __init__(
        self,
        connection: Connection,
        counter: CallCounter,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        listings: ListingStore | None = None,
        canary: CanaryWish = NO_WISH,
    ) -> None:
        self.counter, self.canary, self._connection = counter, canary, connection
        self._find = find = partial(find_api, connection, sleep=sleep)
        compute, placement, image = find("compute"), find("placement"), find("image")
        self._network = find("network")
        self.network = Network(self._network)
        self.load_balancers = LoadBalancers(find("load-balancer"), sleep=sleep)
        self.instance_ha = InstanceHa(find("instance-ha"))
        self.quotas, self.providers = Quotas(compute), Providers(placement)
        self._services = ComputeServices(compute)
        self._servers = Servers(compute, self._services)
        self._migrations, self._hypervisors = Migrations(compute), Hypervisors(compute)
        self._placement = Placement(placement)
        self._reader = SnapshotReader(
            compute,
            self._services,
            ListingReader(
                self._servers,
                self._migrations,
                nova_clock=lambda: compute.answered_at,
                clock=clock,
                store=listings,
            ),
            self._hypervisors,
            self._placement,
            self._network,
            clock=clock,
            roles=partial(find_roles, connection),
        )
        self._shares = Shares(compute, partial(find_manila, connection))
        self._watched_services = SharedLook(self._services.fetch_all)
        self._canary_checks = CanaryChecks(compute, image, self._network, self.quotas)
        self.canaries = Canaries(
            compute, image, self._network, self._services, self._hypervisors, self._placement, sleep=sleep
        )

    @property
    def server_images(self) -> ServerImages:
        """Return what has images of servers taken; few campaigns ask."""
        return ServerImages(self._find("compute"), self._find("image"), self._find("block-storage"))

    # the whole cloud

    def fetch_snapshot(
        self,
        cloud_name: str,
        *,
        domain_of: DomainOf,
        target_version: str | None = None,
        node_versions: Mapping[str, str] | None = None,
        targets: Iterable[str] = (),
        cells: Mapping[str, str] | None = None,
        aggregates: AggregateRules = ALL_AGGREGATES,
        with_agents: bool = False,
        with_control_plane: bool = False,
        afresh: Collection[str] = (),
        watched_within: float | None = None,
        may_lack: bool = False,
    ) -> CloudSnapshot:
        """Read nodes, servers, unfinished migrations and server groups, in few calls.

        :param domain_of: names a node's drain domain from its cell, zone and aggregates.
        :param target_version: the version that makes a node count as upgraded.
        :param node_versions: host -> version of nova-compute as read on the node: Nova's API has none.
        :param targets: hosts that the campaign is to upgrade.
        :param cells: host -> name of its cell, where there is more than one: Nova's API does not tell.
        :param aggregates: which host aggregates count for the drain domains; the others are not shown.
        :param with_agents: read Neutron's agents and ports, and shares of Manila, as well, as a check does.
        :param with_control_plane: read what Nova tells of its control plane as well, which a check looks at.
        :param afresh: hosts whose servers are listed by themselves: one call more for each, in a large cloud.
        :param watched_within: so old (s) may a look of all who keep watch be, and its slow lists minutes.
        :param may_lack: for a check: what the user may not read is named in the snapshot, and empty there.
        :raises ForbiddenError: the user may not read a list; with ``may_lack``: not even the nodes' names.
        :raises TransientError: a cell is down, or a service does not answer.
        """
        words = NodeWords(
            target_version=target_version,
            versions=node_versions or {},
            targets=frozenset(targets),
            cells=cells or {},
            aggregates=aggregates,
        )
        snapshot = self._reader.fetch(
            cloud_name,
            domain_of=domain_of,
            words=words,
            with_agents=with_agents,
            with_control_plane=with_control_plane,
            afresh=afresh,
            watched_within=watched_within,
            may_lack=may_lack,
        )
        return self._shares.add_to(snapshot) if with_agents else snapshot

    def fetch_kept_state(self, project_ids: Iterable[str]) -> dict[str, object]:
        """Read what is kept of a cloud before a campaign. Two calls, and one for each project."""
        return fetch_kept_state(self._services, self._reader.fetch_aggregates, self.quotas, project_ids)

    def watch_services(self, within: float) -> Seen[tuple[ComputeService, ...]]:
        """Read every nova-compute service, for who keeps watch; at most one call for all who do.

        :param within: a list will do that was begun at most so many seconds ago; that of a look, too.
        """
        not_before, look = time.monotonic() - within, self._reader.watched.last
        if look is not None and look.begun >= not_before:
            return Seen(look.found.services, look.begun)
        return self._watched_services.take(not_before)

    @property
    def watch_cost(self) -> WatchCost:
        """Return what watching costs Nova."""
        return WatchCost(
            services_seconds=self._watched_services.seconds,
            look_seconds=self._reader.watched.seconds,
            large=self._reader.listings.keeps,
        )

    def refresh_if_due(self) -> bool:
        """Read every server of a large cloud anew when that is due, beside the looks of others; tell whether.

        It may take minutes: call it in a thread of its own.
        """
        if not self._reader.listings.is_refresh_due():
            return False
        with ThreadPoolExecutor(CONCURRENT_CALLS, thread_name_prefix="refresh") as pool:
            self._reader.listings.refresh(pool)
        return True

    def has_service(self, service: str) -> bool:
        """Tell whether the catalogue lists a service; costs a token, if there is none yet.

        :param service: its type, one of those that ``find_api`` knows.
        """
        return find_api(self._connection, service).exists()

    # nova-compute services, and the lease in them

    def fetch_services(self) -> tuple[ComputeService, ...]:
        """Read every nova-compute service, sorted by host. One call."""
        return self._services.fetch_all()

    def fetch_service(self, host: str) -> ComputeService:
        """Read the nova-compute service of a host. One call.

        :raises NotFoundError: there is none.
        """
        return self._services.fetch(host)

    def ensure_disabled(self, host: str, reason: str, *, over: Collection[str] = ()) -> ComputeService:
        """Disable the service with that reason; a second run writes nothing.

        :param over: the exact reasons that may be written over; an enabled service is disabled in any case.
        :return: the service as read back.
        :raises LeaseLostError: it is disabled for a reason of somebody else.
        """
        return self._services.ensure_disabled(host, reason, over=over)

    def ensure_enabled(self, host: str, *, over: Collection[str]) -> ComputeService:
        """Enable the service; a second run writes nothing.

        :param over: the exact reasons of which one has to be there for the service to be enabled.
        :return: the service as read back.
        :raises LeaseLostError: it is disabled for a reason of somebody else.
        """
        return self._services.ensure_enabled(host, over=over)

    # servers and their moves

    def fetch_servers(self, host: str) -> tuple[Server, ...]:
        """Read the servers on a node, soft-deleted ones too. One call, two when there is none."""
        return self._servers.fetch_on(host)

    def fetch_server(self, server_id: str) -> Server:
        """Read one server. One call.

        :raises NotFoundError: there is none.
        """
        return self._servers.fetch(server_id)

    def fetch_migrations(
        self, host: str | None = None, server_id: str | None = None, since: datetime | None = None
    ) -> tuple[Migration, ...]:
        """Read migrations, the newest first: from or to a host, of a server, changed since then."""
        return self._migrations.fetch(host=host, server_id=server_id, since=since)

    def fetch_copied(self, server_id: str) -> dict[int, int]:
        """Read how much of a server's live migrations is copied, per cent by their ids. One call."""
        return self._migrations.fetch_copied(server_id)

    def start_live_migration(self, server_id: str, destination: str) -> None:
        """Ask for a live migration that the scheduler checks; that it is accepted is not success.

        :raises ConflictError: the server's state forbids it.
        """
        self._servers.start_live_migration(server_id, destination)

    def start_cold_migration(self, server_id: str, destination: str) -> None:
        """Ask for a cold migration, which has to be confirmed when it is finished.

        :raises ConflictError: the server's state forbids it.
        """
        self._servers.start_cold_migration(server_id, destination)

    def confirm_resize(self, server_id: str) -> None:
        """Confirm a finished cold migration.

        :raises ConflictError: the server does not wait for that.
        """
        self._servers.confirm_resize(server_id)

    def abort_migration(self, server_id: str, migration_id: int) -> None:
        """Abort a live migration.

        :raises ConflictError: the server does not migrate any more.
        :raises NotFoundError: there is no such migration under way.
        """
        self._servers.abort_migration(server_id, migration_id)

    def force_complete(self, server_id: str, migration_id: int) -> None:
        """Let a running live migration end now, with a pause of the server."""
        self._servers.force_complete(server_id, migration_id)

    def stop_server(self, server_id: str) -> None:
        """Ask Nova to stop a server; a guest that does not shut down in Nova's time is powered off.

        :raises ConflictError: it is not active, or it is busy.
        """
        self._servers.stop(server_id)

    def start_server(self, server_id: str) -> None:
        """Ask Nova to start a server where it is; its node may be disabled.

        :raises ConflictError: it is not shut off, or it is busy.
        """
        self._servers.start(server_id)

    # what proves a node

    def fetch_hypervisor(self, host: str) -> Hypervisor:
        """Read the hypervisor of a nova-compute host.

        :raises NotFoundError: it has none.
        """
        return self._hypervisors.fetch(host)

    def fetch_addresses(self) -> dict[str, str]:
        """Read the hypervisors' IP addresses: host -> ``my_ip`` of its nova-compute. One call."""
        return {h.host: h.host_ip for h in self._hypervisors.fetch_all() if h.host_ip}

    def fetch_inventory(self, provider_id: str, *, classes: Collection[str] = ()) -> Inventories:
        """Read what Placement has of a node: resource class -> inventory.

        One call; where the node itself lacks one of these classes, one more and one for each of its children.

        :param classes: resource classes that are looked for.
        :raises NotFoundError: there is no such provider.
        """
        found = self._placement.fetch_inventory(provider_id)
        return found if found.keys() >= set(classes) else self._placement.fetch_tree(provider_id)

    def fetch_port_features(self, host: str) -> dict[str, frozenset[Feature]]:
        """Read what the ports on a node say of its servers: server id -> features. One call."""
        return fetch_port_features(self._network, host=host)

    def fetch_share_features(self, server_ids: Sequence[str]) -> dict[str, frozenset[Feature]]:
        """Read which of some servers have a share of Manila: server id -> features.

        One call for each where the cloud has Manila, and one the first time; elsewhere none.

        :raises ForbiddenError: the user may not list them.
        """
        return self._shares.fetch_features(server_ids)

    def fetch_agents(self, host: str) -> tuple[NetworkAgent, ...]:
        """Read the Neutron agents of a host, which may report under its hypervisor's name. One call to three.

        :return: none when the cloud has no Neutron, or no agent there.
        """
        found = fetch_agents(self._network, host)
        if found or not self._network.exists():
            return found
        with suppress(NotFoundError):
            other = self._hypervisors.fetch(host).hostname
            return fetch_agents(self._network, other) if other != host else ()
        return ()

    def fetch_canary_faults(
        self, nodes: Sequence[Node], wish: CanaryWish, *, at_once: int
    ) -> tuple[CanaryFault, ...]:
        """Find what would keep the canaries of some nodes from starting: flavor, image, network, quota.

        :param at_once: canaries that there may be at one moment.
        """
        return self._canary_checks.fetch_faults(nodes, wish, at_once=at_once)

    def run_canary(
        self, host: str, *, tag: str, timeout_seconds: float = 120.0, wish: CanaryWish = NO_WISH
    ) -> None:
        """Prove that a node, disabled or not, can run a server: boot a canary, see it ACTIVE, delete it.

        A second run with the same tag goes on where the first one was. Nothing of it stays behind.

        :param tag: tells apart the canaries of different attempts; part of the server's name.
        :param timeout_seconds: how long the canary may take to become ACTIVE once it is placed.
        :param wish: what it is to be made of.
        :raises NodeFaultError: it cannot be placed, fails, takes too long, or does not go away.
        """
        try:
            server_id = self.canaries.boot(host, run_tag=tag, wish=wish)
            self.canaries.wait(server_id, host, timeout_seconds=timeout_seconds)
            self.canaries.check_ports(server_id, host)
        finally:
            self.canaries.delete_all(host)

    def delete_canaries(self, host: str) -> int:
        """Delete every canary of a node and wait until they are gone; a second run finds none.

        :return: how many there were.
        """
        return self.canaries.delete_all(host)
