"""Floating IPs and address pairs on the real Neutron, whose router plug-in the lab has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from escalator.cloud_manager.cloud import Cloud
from escalator.lab.lab import Lab
from escalator.lab.servers import ServerSpec
from escalator.model.errors import ConflictError, InvalidRequestError, NotFoundError
from escalator.model.network import AddressPair, NetworkPort
from escalator.model.vnf_means import FloatingIpMeans, VipPortMeans
from escalator.vim_interface.switching import SwitchGroup
from escalator.vim_interface.switching.floating_ip import FloatingIpSwitcher
from escalator.vim_interface.switching.vip_port import VipPortSwitcher

pytestmark = pytest.mark.lab
VIP = "10.20.200.77"


@dataclass(frozen=True)
class Pair:
    """Two servers on two nodes, with the network that they are on."""

    lab: Lab
    cloud: Cloud
    a: str
    b: str

    def port(self, server_id: str) -> NetworkPort:
        (port,) = self.cloud.network.fetch_ports((server_id,))
        return port

    @property
    def group(self) -> SwitchGroup:
        return SwitchGroup(id="pair", members=tuple(map(self.cloud.fetch_server, (self.a, self.b))))


@pytest.fixture
def pair(empty_lab: Lab, real_cloud: Cloud) -> Pair:
    a, b = (empty_lab.boot(ServerSpec(name=f"pair-{n}", host=f"node-0{n}")) for n in (1, 2))
    return Pair(empty_lab, real_cloud, a, b)


def make(lab: Lab, kind: str, **body: Any) -> dict[str, Any]:
    made: dict[str, Any] = lab.cloud.post("neutron", f"/v2.0/{kind}s", {kind: body})[kind]
    return made


@pytest.fixture
def new_floating_ip(pair: Pair) -> Iterator[Callable[[str], str]]:
    """Make floating IPs for ports; network, router and all of them go when the test has ended."""
    lab = pair.lab
    port = lab.cloud.get("neutron", f"/v2.0/ports/{pair.port(pair.a).id}")["port"]
    subnet = port["fixed_ips"][0]["subnet_id"]
    network = make(lab, "network", name="contract-ext", **{"router:external": True})
    make(lab, "subnet", network_id=network["id"], cidr="198.51.100.0/24", ip_version=4, enable_dhcp=False)
    router = make(lab, "router", name="contract", external_gateway_info={"network_id": network["id"]})
    path = f"/v2.0/routers/{router['id']}"
    lab.cloud.put("neutron", f"{path}/add_router_interface", {"subnet_id": subnet})
    made: list[str] = []

    def new(port_id: str) -> str:
        floating = make(lab, "floatingip", floating_network_id=network["id"], port_id=port_id)
        made.append(floating["id"])
        return str(floating["floating_ip_address"])

    yield new
    for floating_id in made:
        lab.cloud.delete("neutron", f"/v2.0/floatingips/{floating_id}")
    lab.cloud.put("neutron", f"{path}/remove_router_interface", {"subnet_id": subnet})
    lab.cloud.delete("neutron", path)
    lab.cloud.delete("neutron", f"/v2.0/networks/{network['id']}")


def test_ports_of_servers_tell_host_address_and_status(pair: Pair) -> None:
    calls = pair.cloud.counter.total
    ports = {port.server_id: port for port in pair.cloud.network.fetch_ports((pair.a, pair.b))}
    assert pair.cloud.counter.total - calls == 1
    assert set(ports) == {pair.a, pair.b}
    assert (ports[pair.a].host, ports[pair.b].host) == ("node-01", "node-02")
    assert {port.status for port in ports.values()} == {"ACTIVE"}
    assert all(port.secured and port.addresses and port.revision is not None for port in ports.values())
    assert pair.port(pair.a) in pair.cloud.network.fetch_ports_with(ports[pair.a].addresses[0])
    with pytest.raises(NotFoundError):
        pair.cloud.network.fetch_port("00000000-0000-0000-0000-000000000000")


def test_floating_ip_moves_in_one_call_and_the_switcher_sees_it(
    pair: Pair, new_floating_ip: Callable[[str], str]
) -> None:
    network, a, b = pair.cloud.network, pair.port(pair.a), pair.port(pair.b)
    address = new_floating_ip(a.id)
    switcher = FloatingIpSwitcher(FloatingIpMeans(address=address), pair.group, network)
    assert switcher.find_role().holders == {pair.a}
    assert switcher.is_healthy(pair.group.members[1]).ok
    assert network.ensure_floating_ip(address, b.id, b.addresses[0])
    assert not network.ensure_floating_ip(address, b.id, b.addresses[0])
    assert switcher.find_role().holders == {pair.b}
    assert [one.address for one in network.fetch_floating_ips((a.id, b.id))] == [address]
    with pytest.raises(NotFoundError):
        network.fetch_floating_ip("198.51.100.250")


def test_write_after_somebody_elses_is_refused_by_its_revision(
    pair: Pair, new_floating_ip: Callable[[str], str]
) -> None:
    a, b = pair.port(pair.a), pair.port(pair.b)
    found = pair.cloud.network.fetch_floating_ip(new_floating_ip(a.id))
    assert found.revision is not None
    pair.lab.cloud.put("neutron", f"/v2.0/floatingips/{found.id}", {"floatingip": {"port_id": b.id}})
    api = pair.cloud.network._network
    body = {"floatingip": {"port_id": a.id, "fixed_ip_address": a.addresses[0]}}
    with pytest.raises(ConflictError, match="HTTP 412"):
        api.put(f"/floatingips/{found.id}", body, revision=found.revision)
    assert pair.cloud.network.fetch_floating_ip(found.address).port_id == b.id


def test_address_that_has_a_floating_ip_takes_no_second_one(
    pair: Pair, new_floating_ip: Callable[[str], str]
) -> None:
    a, b = pair.port(pair.a), pair.port(pair.b)
    address = new_floating_ip(a.id)
    new_floating_ip(b.id)
    with pytest.raises(ConflictError, match="HTTP 409"):
        pair.cloud.network.ensure_floating_ip(address, b.id, b.addresses[0])
    assert pair.cloud.network.fetch_floating_ip(address).port_id == a.id


def test_pair_comes_and_goes_beside_others(pair: Pair) -> None:
    network, port = pair.cloud.network, pair.port(pair.a)
    assert network.ensure_pair(port.id, "10.20.200.9", present=True)
    assert network.ensure_pair(port.id, VIP, present=True)
    assert not network.ensure_pair(port.id, VIP, present=True)
    assert set(network.fetch_port(port.id).pairs) == {
        AddressPair(address="10.20.200.9"),
        AddressPair(address=VIP),
    }
    assert network.ensure_pair(port.id, VIP, present=False)
    assert network.fetch_port(port.id).pairs == (AddressPair(address="10.20.200.9"),)


def test_wider_pair_is_seen_and_not_taken_away(pair: Pair) -> None:
    network, port = pair.cloud.network, pair.port(pair.a)
    body = {"port": {"allowed_address_pairs": [{"ip_address": "10.20.200.0/24"}]}}
    pair.lab.cloud.put("neutron", f"/v2.0/ports/{port.id}", body)
    with pytest.raises(InvalidRequestError, match="lets 10"):
        network.ensure_pair(port.id, VIP, present=False)


def test_port_that_reserves_a_vip_is_no_card_of_a_server(pair: Pair) -> None:
    network, a = pair.cloud.network, pair.port(pair.a)
    vip = make(pair.lab, "port", network_id=a.network_id, fixed_ips=[{"ip_address": VIP}])
    try:
        found = network.fetch_port(vip["id"])
        assert (found.server_id, found.host, found.addresses) == (None, None, (VIP,))
        network.ensure_pair(a.id, VIP, present=True)
        for means in (VipPortMeans(port=vip["id"]), VipPortMeans(address=VIP)):
            role = VipPortSwitcher(means, pair.group, network).find_role()
            assert role.holders == {pair.a}
    finally:
        pair.lab.cloud.delete("neutron", f"/v2.0/ports/{vip['id']}")


def test_cloud_without_octavia_says_so(lab: Lab, real_cloud: Cloud) -> None:
    services = {service["type"] for service in lab.cloud.get("keystone", "/services")["services"]}
    assert real_cloud.load_balancers.exists() is ("load-balancer" in services)
