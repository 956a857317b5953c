"""What the steps ask of a cloud; the real one and the small one of these tests have it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.canary import NO_WISH
from escalator.model.canary import CanaryFault, CanaryWish
from escalator.model.cloud import (
    CloudSnapshot,
    ComputeService,
    Hypervisor,
    Migration,
    NetworkAgent,
    Node,
    ResourceInventory,
    Server,
)
from escalator.model.feature import Feature
from escalator.model.inventory_settings import ALL_AGGREGATES, AggregateRules


class StepsCloud(Protocol):
    """What the steps ask of a cloud; the real one and this one have it."""

    counter: CallCounter
    canary: CanaryWish

    def fetch_snapshot(
        self,
        cloud_name: str,
        *,
        domain_of: Callable[[str, str, tuple[str, ...]], str],
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
    ) -> CloudSnapshot: ...
    def fetch_services(self) -> tuple[ComputeService, ...]: ...
    def fetch_service(self, host: str) -> ComputeService: ...
    def ensure_disabled(self, host: str, reason: str, *, over: Collection[str] = ()) -> ComputeService: ...
    def ensure_enabled(self, host: str, *, over: Collection[str]) -> ComputeService: ...
    def fetch_servers(self, host: str) -> tuple[Server, ...]: ...
    def fetch_server(self, server_id: str) -> Server: ...
    def fetch_migrations(
        self, host: str | None = None, server_id: str | None = None, since: datetime | None = None
    ) -> tuple[Migration, ...]: ...
    def start_live_migration(self, server_id: str, destination: str) -> None: ...
    def start_cold_migration(self, server_id: str, destination: str) -> None: ...
    def confirm_resize(self, server_id: str) -> None: ...
    def abort_migration(self, server_id: str, migration_id: int) -> None: ...
    def fetch_hypervisor(self, host: str) -> Hypervisor: ...
    def fetch_addresses(self) -> dict[str, str]: ...
    def fetch_inventory(
        self, provider_id: str, *, classes: Collection[str] = ()
    ) -> Mapping[str, ResourceInventory]: ...
    def force_complete(self, server_id: str, migration_id: int) -> None: ...
    def fetch_port_features(self, host: str) -> dict[str, frozenset[Feature]]: ...
    def fetch_share_features(self, server_ids: Sequence[str]) -> dict[str, frozenset[Feature]]: ...
    def fetch_agents(self, host: str) -> tuple[NetworkAgent, ...]: ...
    def fetch_canary_faults(
        self, nodes: Sequence[Node], wish: CanaryWish, *, at_once: int
    ) -> tuple[CanaryFault, ...]: ...
    def run_canary(
        self, host: str, *, tag: str, timeout_seconds: float = 120.0, wish: CanaryWish = NO_WISH
    ) -> None: ...
    def delete_canaries(self, host: str) -> int: ...
