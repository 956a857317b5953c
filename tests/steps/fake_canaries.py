"""Canaries of the fake Nova that are moved; where the last one is, the cloud knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.steps.fake_records import Host, request

from escalator.cloud_manager.canary import NO_WISH
from escalator.model.canary import CanaryWish
from escalator.model.cloud import Server, ServiceStatus
from escalator.model.errors import NodeFaultError


@dataclass
class FakeCanaries:
    """Boots canaries and moves them between hosts that take them."""

    cloud: Any

    def __getattr__(self, name: str) -> Any:
        """Count, fail and kill as the cloud does."""
        return getattr(self.cloud, name)

    @request
    def describe(self, host: str, *, wish: CanaryWish = NO_WISH) -> Server:
        del wish
        resources = {"VCPU": 1, "MEMORY_MB": 64}
        return Server(id="canary", name="canary", host=host, vm_state="active", resources=resources)

    @request
    def boot(self, host: str, *, run_tag: str, wish: CanaryWish = NO_WISH, at: str | None = None) -> str:
        del run_tag, wish
        self.cloud._wrote("boot canary", host, at or host)
        self.cloud.canary_at = at or host
        return "canary"

    @request
    def wait(self, server_id: str, host: str, *, timeout_seconds: float) -> None:
        assert (server_id, self.cloud.canary_at) == ("canary", host)
        assert timeout_seconds > 0
        if fault := self.host(host).canary_fault:
            raise NodeFaultError(f"the canary of {host} failed: {fault}")

    @request
    def move(self, server_id: str, destination: str, *, forced: bool, timeout_seconds: float) -> None:
        assert server_id == "canary"
        assert timeout_seconds > 0
        self.cloud._wrote("move canary", str(self.cloud.canary_at), destination)
        host = self.host(destination)
        if host.move_fault or (host.status is ServiceStatus.DISABLED and not forced):
            raise NodeFaultError(f"its live migration to {destination} ended in status error")
        self.cloud.canary_at = destination

    @request
    def check_ports(self, server_id: str, host: str) -> None:
        assert (server_id, self.cloud.canary_at) == ("canary", host)

    def host(self, name: str) -> Host:
        found: Host = self.cloud.hosts[name]
        return found
