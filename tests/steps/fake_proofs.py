"""What proves a node of the fake Nova: its hypervisor, its inventory, its agents, a canary."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from tests.steps.fake_canaries import FakeCanaries
from tests.steps.fake_records import Guest, Host, Move, request

from escalator.cloud_manager.canary import NO_WISH
from escalator.model.canary import CanaryFault, CanaryWish
from escalator.model.cloud import (
    ComputeService,
    Hypervisor,
    NetworkAgent,
    Node,
    ResourceInventory,
)
from escalator.model.errors import NodeFaultError, NotFoundError
from escalator.model.feature import Feature
from escalator.model.node_facts import ProviderFacts


class FakeProofs:
    """The part of ``FakeCloud`` that verify asks; what it is of, that class has."""

    hosts: dict[str, Host]
    guests: dict[str, Guest]
    moves: list[Move]
    canary_faults: tuple[CanaryFault, ...]
    wishes: list[CanaryWish]
    canary_at: str | None = None

    def _service(self, name: str) -> ComputeService:
        raise NotImplementedError

    def _wrote(self, verb: str, subject: str, detail: str, found: str | None = None) -> None:
        raise NotImplementedError

    @request
    def fetch_copied(self, server_id: str) -> dict[int, int]:
        own = [m for m in self.moves if m.guest.id == server_id and m.type == "live-migration"]
        return {m.id: m.copied for m in own if m.status.unfinished and m.copied is not None}

    @request
    def fetch_hypervisor(self, host: str) -> Hypervisor:
        service = self._service(host)
        return Hypervisor(
            id=f"provider-{host}",
            hostname=f"{host}.example",
            host=host,
            state=self.hosts[host].hypervisor,
            status=service.status,
            host_ip="192.0.2.1",
        )

    @request
    def fetch_inventory(
        self, provider_id: str, *, classes: Collection[str] = ()
    ) -> Mapping[str, ResourceInventory]:
        del classes
        found = self.hosts[provider_id.removeprefix("provider-")].inventory
        if not found:
            raise NotFoundError(f"HTTP 404: resource provider {provider_id}")
        return found

    @property
    def providers(self) -> FakeProofs:
        """Return what tells of resource providers."""
        return self

    @request
    def fetch_provider(self, provider_id: str) -> ProviderFacts:
        host = self.hosts[provider_id.removeprefix("provider-")]
        if not host.inventory:
            raise NotFoundError(f"Placement has no resource provider {provider_id}")
        return ProviderFacts(
            id=provider_id, inventory=host.inventory, traits=host.traits, aggregates=host.aggregates
        )

    @request
    def fetch_consumers(self, provider_id: str) -> frozenset[str]:
        name = provider_id.removeprefix("provider-")
        going = (m.record().uuid for m in self.moves if m.source == name and m.status.unfinished)
        here = (guest.id for guest in self.guests.values() if guest.host == name)
        return frozenset((*going, *here, *self.hosts[name].strays))

    @request
    def fetch_port_features(self, host: str) -> dict[str, frozenset[Feature]]:
        return {guest.id: guest.port_features for guest in self.guests.values() if guest.host == host}

    @request
    def fetch_share_features(self, server_ids: Sequence[str]) -> dict[str, frozenset[Feature]]:
        return {id_: frozenset({Feature.SHARE}) for id_ in server_ids if self.guests[id_].has_share}

    @request
    def fetch_agents(self, host: str) -> tuple[NetworkAgent, ...]:
        return self.hosts[host].agents

    @request
    def fetch_canary_faults(
        self, nodes: Sequence[Node], wish: CanaryWish, *, at_once: int
    ) -> tuple[CanaryFault, ...]:
        del nodes, wish, at_once
        return self.canary_faults

    @request
    def run_canary(
        self, host: str, *, tag: str, timeout_seconds: float = 120.0, wish: CanaryWish = NO_WISH
    ) -> None:
        del timeout_seconds
        self.wishes.append(wish)
        self._wrote("canary", host, tag)
        if self.hosts[host].canary_fault:
            raise NodeFaultError(f"the canary of {host} failed: {self.hosts[host].canary_fault}")

    @request
    def delete_canaries(self, host: str) -> int:
        self._service(host)
        self.canary_at = None
        return 0

    @request
    def fetch_kept_state(self, project_ids: Iterable[str]) -> dict[str, object]:
        return {"services": [], "aggregates": [], "quotas": dict.fromkeys(project_ids), "unread": []}

    @property
    def canaries(self) -> FakeCanaries:
        """Return what boots and moves canaries."""
        return FakeCanaries(cloud=self)
