from __future__ import annotations

from dataclasses import replace

import pytest
from tests.vim_interface.switching.fakes import (
    FLOATING,
    PAIR,
    FakeBook,
    FakeClock,
    FakeNetwork,
    KilledError,
    make_network,
    make_port,
)
from tests.vim_interface.switching.test_act import ORDER

from escalator.model.errors import InvalidRequestError, NotFoundError
from escalator.model.network import FloatingIp
from escalator.model.vnf_means import FloatingIpMeans
from escalator.vim_interface.switching import Seen, SwitchOutcome, SwitchResult, switch_over
from escalator.vim_interface.switching.floating_ip import FloatingIpSwitcher


def switcher_on(network: FakeNetwork) -> FloatingIpSwitcher:
    return FloatingIpSwitcher(FloatingIpMeans(address=FLOATING), PAIR, network)


def run(network: FakeNetwork, book: FakeBook) -> SwitchResult:
    clock = FakeClock()
    return switch_over(switcher_on(network), book, ORDER, clock=clock, sleep=clock.sleep)


def test_floating_ip_goes_to_the_standby_once() -> None:
    network, book = make_network(), FakeBook()
    result = run(network, book)
    assert (result.outcome, result.words) == (
        SwitchOutcome.SWITCHED,
        f"floating IP {FLOATING} is at vnf-b",
    )
    assert network.writes == [("floating", FLOATING, "p-b", "10.0.0.2")]
    assert book.of_run("c", "r")[0].found == {"port": "p-a", "fixed_address": "10.0.0.1"}
    run(network, book)
    assert len(network.writes) == 1


def test_nothing_is_read_between_the_word_in_the_book_and_the_write() -> None:
    network, book = make_network(), FakeBook()
    reads: list[int] = []
    network.before_write = lambda: reads.append(network.reads)
    one, clock = switcher_on(network), FakeClock()
    switch_over(
        one, book, ORDER, before_act=lambda: reads.append(network.reads), clock=clock, sleep=clock.sleep
    )
    assert len(reads) == 2
    assert reads[0] == reads[1]
    one.switch(book.of_run("c", "r")[0])  # what was seen is of one use: this one looks, and finds it done
    assert len(network.writes) == 1


def test_after_a_kill_at_the_write_the_second_run_moves_it() -> None:
    network, book = make_network(), FakeBook()

    def kill() -> None:
        raise KilledError

    network.before_write = kill
    with pytest.raises(KilledError):
        run(network, book)
    network.before_write = lambda: None
    assert run(network, book).outcome is SwitchOutcome.SWITCHED
    assert len(network.writes) == 1


def test_floating_ip_that_the_vnf_has_moved_itself_is_left_there() -> None:
    network = make_network()
    switcher = switcher_on(network)
    network.floating[FLOATING] = replace(network.floating[FLOATING], port_id="p-b", fixed_address="10.0.0.2")
    assert switcher.find_role().see("a") is Seen.LEFT
    assert run(network, FakeBook()).outcome is SwitchOutcome.AWAY
    assert network.writes == []


def test_port_on_the_network_of_the_active_member_is_taken_with_its_ipv4_address() -> None:
    network = make_network()
    network.add(
        replace(make_port("b", "node-02", "192.0.2.9", network_id="other"), id="p-0"),
        make_port("b", "node-02", "10.0.0.2", addresses=("2001:db8::2", "10.0.0.2")),
    )
    run(network, FakeBook())
    assert network.writes == [("floating", FLOATING, "p-b", "10.0.0.2")]


@pytest.mark.parametrize("change", [{"network_id": "other"}, {"addresses": ("2001:db8::2",)}])
def test_standby_without_a_fit_port_is_refused_before_any_write(change: dict[str, object]) -> None:
    network, book = make_network().add(make_port("b", "node-02", "10.0.0.2", **change)), FakeBook()
    result = run(network, book)
    assert result.outcome is SwitchOutcome.FAILED
    assert "vnf-b has no port that could take" in result.words
    assert (network.writes, book.records) == ([], [])
    assert not switcher_on(network).is_healthy(PAIR.members[1]).ok


def test_port_that_is_down_makes_no_healthy_standby() -> None:
    network = make_network()
    assert switcher_on(network).is_healthy(PAIR.members[1]).ok
    network.add(make_port("b", "node-02", "10.0.0.2", status="DOWN"))
    health = switcher_on(network).is_healthy(PAIR.members[1])
    assert (health.ok, health.words) == (False, "port p-b of vnf-b is DOWN")


def test_floating_ip_at_nobody_is_not_taken_for_switched() -> None:
    network = make_network()
    network.floating[FLOATING] = FloatingIp(id="f", address=FLOATING)
    role = switcher_on(network).find_role()
    assert role.see("a") is Seen.UNSEEN
    assert "is at no port" in role.words


def test_floating_ip_at_a_stranger_has_left() -> None:
    network = make_network().add(make_port("x", "node-09", "10.0.0.9"))
    network.floating[FLOATING] = replace(network.floating[FLOATING], port_id="p-x")
    assert switcher_on(network).find_role().see("a") is Seen.LEFT


def test_unknown_floating_ip_and_nobody_to_take_it_are_errors() -> None:
    network = make_network()
    with pytest.raises(InvalidRequestError, match="no member is named"):
        switcher_on(network).find_state("a", None)
    network.floating.clear()
    with pytest.raises(NotFoundError):
        switcher_on(network).find_role()
