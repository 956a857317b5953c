from __future__ import annotations

from typing import Any

import pytest

from escalator.cloud_manager.cloud import Cloud
from escalator.model.errors import ConflictError, InvalidRequestError, NotFoundError, TransientError
from escalator.model.network import AddressPair, FloatingIp

FLOATING = "/network/v2.0/floatingips"
PORTS = "/network/v2.0/ports"
ADDRESS = "203.0.113.7"


def floating(port: str | None = "p-a", fixed: str | None = "10.0.0.1", revision: int = 4) -> dict[str, Any]:
    return {
        "id": "f-1",
        "floating_ip_address": ADDRESS,
        "port_id": port,
        "fixed_ip_address": fixed,
        "revision_number": revision,
    }


def port(*pairs: dict[str, str], **changes: Any) -> dict[str, Any]:
    return {
        "id": "p-a",
        "network_id": "n-1",
        "device_id": "a",
        "mac_address": "fa:16:3e:00:00:01",
        "binding:host_id": "node-01",
        "fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.1"}],
        "allowed_address_pairs": list(pairs),
        "status": "ACTIVE",
        "port_security_enabled": True,
        "revision_number": 7,
    } | changes


def test_floating_ip_moves_in_one_call_and_a_second_run_writes_nothing(fake: Any, cloud: Cloud) -> None:
    moved = floating("p-b", "10.0.0.2", 5)
    fake.tell("GET", FLOATING, {"floatingips": [floating()]}, {"floatingips": [moved]})
    fake.tell("PUT", f"{FLOATING}/f-1", {"floatingip": moved})
    assert cloud.network.ensure_floating_ip(ADDRESS, "p-b", "10.0.0.2")
    assert not cloud.network.ensure_floating_ip(ADDRESS, "p-b", "10.0.0.2")
    (put,) = fake.requests_of("PUT", f"{FLOATING}/f-1")
    assert put.body == {"floatingip": {"port_id": "p-b", "fixed_ip_address": "10.0.0.2"}}
    assert put.if_match == "revision_number=4"
    assert fake.requests_of("GET", FLOATING)[0].query == {"floating_ip_address": [ADDRESS]}
    assert cloud.network.fetch_floating_ip(ADDRESS) == FloatingIp(
        id="f-1", address=ADDRESS, port_id="p-b", fixed_address="10.0.0.2", revision=5
    )


def test_floating_ip_that_the_vnf_moves_at_the_same_moment_is_looked_at_again(
    fake: Any, cloud: Cloud
) -> None:
    moved = floating("p-b", "10.0.0.2", 5)
    fake.tell("GET", FLOATING, {"floatingips": [floating()]}, {"floatingips": [moved]})
    fake.tell("PUT", f"{FLOATING}/f-1", (412, {"NeutronError": {"message": "Constrained to 4, is 5"}}))
    assert not cloud.network.ensure_floating_ip(ADDRESS, "p-b", "10.0.0.2")
    assert len(fake.requests_of("PUT", f"{FLOATING}/f-1")) == 1


def test_floating_ip_that_was_just_read_is_not_read_again_unless_it_was_changed_since(
    fake: Any, cloud: Cloud
) -> None:
    fake.tell(
        "GET", FLOATING, {"floatingips": [floating()]}, {"floatingips": [floating("p-b", "10.0.0.2", 5)]}
    )
    fake.tell("PUT", f"{FLOATING}/f-1", {"floatingip": floating("p-b", "10.0.0.2", 5)}, (412, {}))
    known = cloud.network.fetch_floating_ip(ADDRESS)
    assert cloud.network.ensure_floating_ip(ADDRESS, "p-b", "10.0.0.2", known=known)
    assert len(fake.requests_of("GET", FLOATING)) == 1
    assert not cloud.network.ensure_floating_ip(ADDRESS, "p-b", "10.0.0.2", known=known)
    assert len(fake.requests_of("GET", FLOATING)) == 2


def test_a_refusal_without_a_change_is_final(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", FLOATING, {"floatingips": [floating()]})
    fake.tell("PUT", f"{FLOATING}/f-1", (409, {"NeutronError": {"message": "already has a floating IP"}}))
    with pytest.raises(ConflictError, match="already has a floating IP"):
        cloud.network.ensure_floating_ip(ADDRESS, "p-b", "10.0.0.2")
    assert len(fake.requests_of("PUT", f"{FLOATING}/f-1")) == 1


def test_floating_ip_that_others_change_all_the_time_is_given_up(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", FLOATING, *({"floatingips": [floating(revision=n)]} for n in range(9)))
    fake.tell("PUT", f"{FLOATING}/f-1", (412, {"NeutronError": {"message": "Constrained"}}))
    with pytest.raises(TransientError, match="changed by others"):
        cloud.network.ensure_floating_ip(ADDRESS, "p-b", "10.0.0.2")


def test_unknown_floating_ip_and_neutron_without_them_are_told_apart(fake: Any, cloud: Cloud) -> None:
    with pytest.raises(InvalidRequestError, match="no router plug-in"):
        cloud.network.fetch_floating_ip(ADDRESS)
    fake.tell("GET", FLOATING, {"floatingips": []})
    with pytest.raises(NotFoundError, match="no floating IP has the address"):
        cloud.network.fetch_floating_ip(ADDRESS)
    assert not [asked for asked in fake.asked if asked.method == "PUT"]


def test_ports_are_asked_for_all_servers_at_once(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", PORTS, {"ports": [port(device_id="b", id="p-b"), port()]})
    ports = cloud.network.fetch_ports({"b", "a"})
    assert [one.server_id for one in ports] == ["a", "b"]
    assert (ports[0].host, ports[0].addresses, ports[0].network_id) == ("node-01", ("10.0.0.1",), "n-1")
    assert fake.requests_of("GET", PORTS)[0].query == {"device_id": ["a", "b"]}
    assert cloud.network.fetch_ports(()) == ()
    assert cloud.network.fetch_floating_ips(()) == ()
    assert len(fake.requests_of("GET", PORTS)) == 1, "no filter would be all ports of the cloud"
    cloud.network.fetch_ports_with("10.0.0.9")
    assert fake.requests_of("GET", PORTS)[1].query == {"fixed_ips": ["ip_address=10.0.0.9"]}


def test_port_of_nothing_has_no_server_and_no_host(fake: Any, cloud: Cloud) -> None:
    bare = {"id": "v", "network_id": "n-1", "device_id": "", "binding:host_id": "", "fixed_ips": []}
    fake.tell("GET", f"{PORTS}/v", {"port": bare})
    found = cloud.network.fetch_port("v")
    assert (found.server_id, found.host, found.pairs, found.secured) == (None, None, (), True)


def test_pair_is_added_beside_the_others_and_removed_alone(fake: Any, cloud: Cloud) -> None:
    other = {"ip_address": "10.0.0.0/28", "mac_address": "fa:16:3e:00:00:99"}
    own = {"ip_address": "10.0.0.77", "mac_address": "fa:16:3e:00:00:01"}
    both = port(other, own)
    fake.tell("GET", f"{PORTS}/p-a", {"port": port(other)}, {"port": both}, {"port": both})
    fake.tell("PUT", f"{PORTS}/p-a", {"port": both})
    assert cloud.network.ensure_pair("p-a", "10.0.0.77", present=True)
    assert not cloud.network.ensure_pair("p-a", "10.0.0.77", present=True)
    assert cloud.network.ensure_pair("p-a", "10.0.0.77", present=False)
    added, removed = fake.requests_of("PUT", f"{PORTS}/p-a")
    assert added.body["port"]["allowed_address_pairs"] == [other, {"ip_address": "10.0.0.77"}]
    assert removed.body["port"]["allowed_address_pairs"] == [other]
    assert added.if_match == "revision_number=7"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (port(port_security_enabled=False), "no port security"),
        (port({"ip_address": "10.0.0.0/24"}, {"ip_address": "10.0.0.77"}), r"lets 10\.0\.0\.77 through"),
    ],
)
def test_a_pair_whose_removal_would_change_nothing_is_refused(
    fake: Any, cloud: Cloud, found: dict[str, Any], words: str
) -> None:
    fake.tell("GET", f"{PORTS}/p-a", {"port": found})
    with pytest.raises(InvalidRequestError, match=words):
        cloud.network.ensure_pair("p-a", "10.0.0.77", present=False)
    assert not fake.requests_of("PUT", f"{PORTS}/p-a")


def test_a_pair_with_another_mac_is_kept_as_it_is(fake: Any, cloud: Cloud) -> None:
    fake.tell("GET", f"{PORTS}/p-a", {"port": port({"ip_address": "1.2.3.4", "mac_address": "aa:bb"})})
    assert cloud.network.fetch_port("p-a").pairs == (AddressPair(address="1.2.3.4", mac="aa:bb"),)
