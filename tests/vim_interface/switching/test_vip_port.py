from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import NOW
from tests.vim_interface.switching.fakes import (
    PAIR,
    VIP,
    FakeBook,
    FakeClock,
    FakeNetwork,
    KilledError,
    make_network,
    make_port,
)
from tests.vim_interface.switching.test_act import ORDER

from escalator.model.errors import InvalidRequestError
from escalator.model.network import AddressPair, NetworkPort
from escalator.model.vnf_means import VipPortMeans
from escalator.vim_interface.switching import Seen, SwitchOutcome, SwitchResult, restore_switches, switch_over
from escalator.vim_interface.switching.vip_port import VipPortSwitcher

MINE = AddressPair(address=VIP)
OTHER = AddressPair(address="10.0.0.99")


def make_vip(*having: str, host: str | None = None) -> FakeNetwork:
    """Make the network of the pair with a port that reserves the VIP; ``having`` have the pair."""
    network = make_network().add(NetworkPort(id="vip", network_id="net", addresses=(VIP,), host=host))
    for server_id in having:
        port = network.ports[f"p-{server_id}"]
        network.add(replace(port, pairs=(OTHER, MINE)))
    return network


def switcher_on(network: FakeNetwork) -> VipPortSwitcher:
    return VipPortSwitcher(VipPortMeans(port="vip"), PAIR, network)


def run(network: FakeNetwork, book: FakeBook) -> SwitchResult:
    clock = FakeClock()
    return switch_over(switcher_on(network), book, ORDER, clock=clock, sleep=clock.sleep)


def test_the_only_member_with_the_pair_has_the_service() -> None:
    role = switcher_on(make_vip("a")).find_role()
    assert (role.holders, role.see("a"), role.see("b")) == ({"a"}, Seen.THERE, Seen.LEFT)


def test_the_host_of_the_port_tells_it_where_neutron_says_so() -> None:
    role = switcher_on(make_vip("a", "b", host="node-02")).find_role()
    assert role.holders == {"b"}
    assert "on node-02, with vnf-b" in role.words


def test_with_the_pair_on_both_and_no_host_nothing_can_be_seen() -> None:
    role = switcher_on(make_vip("a", "b")).find_role()
    assert (role.see("a"), role.see("b")) == (Seen.UNSEEN, Seen.UNSEEN)


def test_nothing_is_read_between_the_word_in_the_book_and_the_writes() -> None:
    network, book, clock = make_vip("a"), FakeBook(), FakeClock()
    reads: list[int] = []
    network.before_write = lambda: reads.append(network.reads)
    switch_over(
        switcher_on(network),
        book,
        ORDER,
        before_act=lambda: reads.append(network.reads),
        clock=clock,
        sleep=clock.sleep,
    )
    assert len(reads) == 3
    assert len(set(reads)) == 1


def test_pair_goes_to_the_standby_first_and_then_leaves_the_other() -> None:
    network, book = make_vip("a"), FakeBook()
    assert run(network, book).outcome is SwitchOutcome.SWITCHED
    assert network.writes == [("pair", "p-b", VIP, True), ("pair", "p-a", VIP, False)]
    assert network.ports["p-a"].pairs == (OTHER,), "other pairs stay"
    assert run(network, book).outcome is SwitchOutcome.SWITCHED
    assert len(network.writes) == 2


def test_after_a_kill_between_the_writes_the_second_run_finishes() -> None:
    network, book = make_vip("a"), FakeBook()

    def kill_at_the_second() -> None:
        if network.writes:
            raise KilledError

    network.before_write = kill_at_the_second
    with pytest.raises(KilledError):
        run(network, book)
    network.before_write = lambda: None
    assert run(network, book).outcome is SwitchOutcome.SWITCHED
    assert network.writes == [("pair", "p-b", VIP, True), ("pair", "p-a", VIP, False)]


def restore(network: FakeNetwork, book: FakeBook) -> tuple[str, ...]:
    return restore_switches(
        book, "c", "r", "node-01", switcher_of=lambda _: switcher_on(network), clock=lambda: NOW
    )


def test_pair_that_both_had_comes_back_after_the_release() -> None:
    network, book = make_vip("a", "b"), FakeBook()
    assert run(network, book).outcome is SwitchOutcome.SWITCHED
    assert network.writes == [("pair", "p-a", VIP, False)]
    assert restore(network, book) == ()
    assert network.ports["p-a"].has_pair(VIP)


def test_pair_that_one_had_stays_where_it_was_moved_to() -> None:
    network, book = make_vip("a"), FakeBook()
    run(network, book)
    assert restore(network, book) == ()
    assert not network.ports["p-a"].has_pair(VIP)


def test_port_that_is_gone_at_the_release_is_reported() -> None:
    network, book = make_vip("a", "b"), FakeBook()
    run(network, book)
    del network.ports["p-a"]
    (words,) = restore(network, book)
    assert "was not given back: no port p-a" in words


def test_wider_pair_is_refused_before_any_write() -> None:
    network, book = make_vip("a"), FakeBook()
    network.add(replace(network.ports["p-a"], pairs=(MINE, AddressPair(address="10.0.0.0/24"))))
    result = run(network, book)
    assert result.outcome is SwitchOutcome.FAILED
    assert "lets 10.0.0.77 through" in result.words
    assert (network.writes, book.records) == ([], [])


def test_port_is_found_by_its_address_on_the_networks_of_the_members() -> None:
    network = make_vip("a").add(NetworkPort(id="foreign", network_id="elsewhere", addresses=(VIP,)))
    by_address = VipPortSwitcher(VipPortMeans(address=VIP), PAIR, network)
    assert by_address.find_role().holders == {"a"}
    del network.ports["vip"]
    with pytest.raises(InvalidRequestError, match="no ports on the networks of the members reserve"):
        by_address.find_role()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "DOWN"}, "port p-b of vnf-b is DOWN"),
        ({"secured": False}, "port p-b of vnf-b has no port security"),
        ({"network_id": "other"}, "vnf-b has no port on the network of the address"),
    ],
)
def test_member_that_could_not_take_the_address_is_not_healthy(change: dict[str, object], words: str) -> None:
    network = make_vip("a")
    assert switcher_on(network).is_healthy(PAIR.members[1]).ok
    network.add(make_port("b", "node-02", "10.0.0.2", **change))
    health = switcher_on(network).is_healthy(PAIR.members[1])
    assert (health.ok, health.words) == (False, words)
