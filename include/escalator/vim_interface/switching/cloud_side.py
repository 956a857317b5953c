"""What switching needs of a cloud: its ``network`` and its ``load_balancers``."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from escalator.model.load_balancer import PoolMember
from escalator.model.network import FloatingIp, NetworkPort


class NetworkSide(Protocol):
    """Neutron's floating IPs and ports; every verb raises the errors of the model."""

    def fetch_floating_ip(self, address: str) -> FloatingIp:
        """Read the floating IP of an address; NotFoundError without one."""

    def fetch_floating_ips(self, port_ids: Collection[str]) -> tuple[FloatingIp, ...]:
        """Read the floating IPs of ports."""

    def fetch_port(self, port_id: str) -> NetworkPort:
        """Read one port; NotFoundError without one."""

    def fetch_ports(self, server_ids: Collection[str]) -> tuple[NetworkPort, ...]:
        """Read the ports of servers."""

    def fetch_ports_with(self, address: str) -> tuple[NetworkPort, ...]:
        """Read the ports that have a fixed address."""

    def ensure_floating_ip(
        self, address: str, port_id: str, fixed_address: str, *, known: FloatingIp | None = None
    ) -> bool:
        """Give a floating IP to a port."""

    def ensure_pair(
        self, port_id: str, address: str, *, present: bool, known: NetworkPort | None = None
    ) -> bool:
        """Let a port send as an address, or not any more."""


class BalancerSide(Protocol):
    """Octavia; every verb raises InvalidRequestError where the cloud has none."""

    def fetch_pools(self, load_balancer_id: str) -> tuple[str, ...]:
        """Read the ids of a load balancer's pools."""

    def fetch_load_balancer(self, pool_id: str) -> str:
        """Read the id of the load balancer of a pool."""

    def fetch_members(self, pool_id: str) -> tuple[PoolMember, ...]:
        """Read the members of a pool."""

    def fetch_open_connections(self, load_balancer_id: str) -> int:
        """Read how many connections are open through a load balancer."""

    def ensure_weight(self, pool_id: str, member_id: str, weight: int) -> bool:
        """Give a member a weight and wait until it is in effect."""
