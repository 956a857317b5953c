from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.vim_interface.switching.fakes import FLOATING, PAIR, VIP, FakeNetwork, FakeSwitcher, make_network
from tests.vim_interface.switching.test_vip_port import make_vip

from escalator.model.errors import NotFoundError
from escalator.model.network import FloatingIp
from escalator.model.vnf_means import ProbeMethod, ProbeTarget
from escalator.vim_interface.switching import (
    Seen,
    Verification,
    fetch_service_addresses,
    find_holder,
    verify_left,
)


def verify(network: FakeNetwork, **more: Any) -> Verification:
    return verify_left("a", PAIR, network=network, **more)


def move(network: FakeNetwork, address: str = FLOATING, port: str = "p-b") -> None:
    network.floating[address] = replace(network.floating[address], port_id=port)


def probe(address: str) -> ProbeTarget:
    return ProbeTarget(group="pair", method=ProbeMethod.ICMP, address=address)


def test_means_of_the_group_tell_first() -> None:
    network = make_network()
    assert verify(network, switcher=FakeSwitcher()).seen is Seen.THERE
    assert verify(network, switcher=FakeSwitcher(holder="b")).seen is Seen.LEFT


def test_floating_ip_that_went_to_another_member_has_left() -> None:
    network = make_network()
    before = fetch_service_addresses(network, PAIR)
    assert before.holders == {FLOATING: "a"}
    assert verify(network, before=before) == Verification(
        seen=Seen.THERE, words=f"floating IP {FLOATING} is still at vnf-a", holders=frozenset("a")
    )
    move(network)
    found = verify(network, before=before)
    assert found.holders == {"b"}
    assert (found.seen, found.words) == (Seen.LEFT, f"floating IP {FLOATING} went from vnf-a to vnf-b")


def test_floating_ips_that_everybody_has_accuse_nobody() -> None:
    network = make_network()
    network.floating["203.0.113.8"] = FloatingIp(id="g", address="203.0.113.8", port_id="p-b")
    before = fetch_service_addresses(network, PAIR)
    assert verify(network, before=before).seen is Seen.UNSEEN
    move(network)
    assert verify(network, before=before).seen is Seen.LEFT


def test_floating_ip_that_nobody_has_any_more_proves_nothing() -> None:
    network = make_network()
    before = fetch_service_addresses(network, PAIR)
    network.floating[FLOATING] = FloatingIp(id="f", address=FLOATING)
    assert verify(network, before=before).seen is Seen.UNSEEN


def test_the_one_member_with_the_service_is_found_where_it_can_be_seen() -> None:
    network = make_network()
    assert find_holder(PAIR, network=network) is None
    assert find_holder(PAIR, network=network, probe=probe(FLOATING)) == "a"
    assert find_holder(PAIR, network=network, switcher=FakeSwitcher(holder="b")) == "b"
    assert find_holder(PAIR, network=network, switcher=FakeSwitcher(blind=True), probe=probe(FLOATING)) == "a"
    assert find_holder(PAIR, network=network, switcher=FakeSwitcher(holder="stranger")) is None


def test_blind_means_let_the_next_place_tell() -> None:
    network = make_network()
    before = fetch_service_addresses(network, PAIR)
    move(network)
    assert verify(network, switcher=FakeSwitcher(blind=True), before=before).seen is Seen.LEFT

    class Gone(FakeSwitcher):
        def find_role(self) -> Any:
            raise NotFoundError("no such pool")

    assert verify(network, switcher=Gone(), before=before).seen is Seen.LEFT
    assert "no such pool" in verify(network, switcher=Gone()).words


def test_probed_address_is_looked_up_in_neutron() -> None:
    network = make_network()
    assert verify(network, probe=probe(FLOATING)).seen is Seen.THERE
    move(network)
    assert verify(network, probe=probe(FLOATING)).seen is Seen.LEFT
    assert verify(make_vip("b"), probe=probe(VIP)).seen is Seen.LEFT
    assert verify(make_vip("a"), probe=probe(VIP)).seen is Seen.THERE


def test_an_answer_of_the_service_does_not_say_who_gives_it() -> None:
    network = make_network()
    network.has_router = False
    for address in ("192.0.2.1", "sbc.example"):
        found = verify(network, probe=probe(address), answers=True)
        assert (found.seen, found.words.rpartition("; ")[2]) == (Seen.UNSEEN, f"{address} answers")
    assert "does not answer" in verify(network, probe=probe("192.0.2.1"), answers=False).words


def test_group_that_names_no_place_is_unseen() -> None:
    network = make_network()
    network.has_router = False
    before = fetch_service_addresses(network, PAIR)
    assert before.holders == {}
    found = verify(network, before=before)
    assert (found.seen, found.words) == (
        Seen.UNSEEN,
        "the group names no place where its service could be seen",
    )
