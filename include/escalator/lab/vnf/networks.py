"""The networks of the VNFs, in Neutron: addresses on loopback, so that they can really be served.

Servers are in ``vnf-net``; a router connects it with ``vnf-ext``, the external network of the floating IPs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from escalator.lab.api import Cloud

NETWORK, EXTERNAL, ROUTER = "vnf-net", "vnf-ext", "vnf-router"
_NET_BYTE, _EXTERNAL_BYTE, _MANAGER_BYTE = 70, 80, 90


@dataclass(frozen=True, slots=True, kw_only=True)
class VnfNetworks:
    """The networks of one lab's VNFs.

    :param cloud: as its administrator.
    :param instance: of the lab; chooses the addresses.
    :param network: that servers are in, when it is there already: that of real guests. It has no router.
    """

    cloud: Cloud
    instance: int
    network: str | None = None

    def ensure(self) -> None:
        """Make networks and router; what is there stays."""
        if self.network is not None:
            return
        inside = self._ensure_network(NETWORK, _NET_BYTE, {"shared": True})
        outside = self._ensure_network(EXTERNAL, _EXTERNAL_BYTE, {"router:external": True})
        if self._find("routers", ROUTER) is None:
            gateway = {"external_gateway_info": {"network_id": outside["id"]}}
            router = self._make("router", {"name": ROUTER, **gateway})
            interface = {"subnet_id": inside["subnets"][0]}
            self.cloud.put("neutron", f"/v2.0/routers/{router['id']}/add_router_interface", interface)

    def reserve_address(self, name: str, project_id: str) -> tuple[str, str]:
        """Make a port that reserves an address, and return its id and the address."""
        network = self._find("networks", self.network or NETWORK) or {}
        port = self._make("port", {"network_id": network["id"], "name": name, "project_id": project_id})
        return port["id"], port["fixed_ips"][0]["ip_address"]

    def allow_address(self, port_id: str, address: str) -> None:
        """Let a port use an address beside its own."""
        self._set_pairs(port_id, [{"ip_address": address}])

    def forbid_addresses(self, port_id: str) -> None:
        """Let a port use its own address only."""
        self._set_pairs(port_id, [])

    def make_floating_ip(self, port_id: str, project_id: str) -> tuple[str, str]:
        """Make a floating IP for a port, and return its id and the address."""
        network = self._find("networks", EXTERNAL) or {}
        body = {"floating_network_id": network["id"], "port_id": port_id, "project_id": project_id}
        made = self._make("floatingip", body)
        return made["id"], made["floating_ip_address"]

    def move_floating_ip(self, floating_ip: str, port_id: str | None) -> None:
        """Associate a floating IP with another port, or with none."""
        self.cloud.put("neutron", f"/v2.0/floatingips/{floating_ip}", {"floatingip": {"port_id": port_id}})

    def fetch_port(self, server_id: str) -> tuple[str, str]:
        """Return id and fixed IP of a server's port."""
        port = self.cloud.get("neutron", f"/v2.0/ports?device_id={server_id}")["ports"][0]
        return port["id"], port["fixed_ips"][0]["ip_address"]

    def give_back(self, address_id: str, *, floating: bool) -> None:
        """Delete a floating IP, or the port that reserves an address."""
        self.cloud.delete("neutron", f"/v2.0/{'floatingips' if floating else 'ports'}/{address_id}")

    def name_manager_address(self, number: int) -> str:
        """Return the address of a manager, which is outside of the cloud."""
        return f"127.0.{_MANAGER_BYTE + self.instance}.{number}"

    def _set_pairs(self, port_id: str, pairs: list[dict[str, str]]) -> None:
        body = {"port": {"allowed_address_pairs": pairs}}
        self.cloud.put("neutron", f"/v2.0/ports/{port_id}", body)

    def _ensure_network(self, name: str, byte: int, more: dict[str, Any]) -> dict[str, Any]:
        found = self._find("networks", name)
        if found is None:
            network = self._make("network", {"name": name, **more})
            cidr = f"127.0.{byte + self.instance}.0/24"
            about = {"name": name, "network_id": network["id"], "cidr": cidr}
            self._make("subnet", {**about, "ip_version": 4, "enable_dhcp": False})
            found = self._find("networks", name) or {}
        return found

    def _find(self, kind: str, name: str) -> dict[str, Any] | None:
        found = self.cloud.get("neutron", f"/v2.0/{kind}?name={name}")[kind]
        return found[0] if found else None

    def _make(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        return dict(self.cloud.post("neutron", f"/v2.0/{kind}s", {kind: body})[kind])
