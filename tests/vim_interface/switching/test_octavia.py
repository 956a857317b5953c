"""Octavia's side by a fake: what is asked of it and when. Recorded answers: tests/cloud_manager."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import NOW
from tests.vim_interface.switching.fakes import (
    FakeBalancers,
    FakeBook,
    FakeClock,
    FakeNetwork,
    KilledError,
    make_member,
    make_network,
    make_port,
)
from tests.vim_interface.switching.test_act import ORDER

from escalator.model.load_balancer import PoolMember
from escalator.model.vnf_means import OctaviaMeans
from escalator.vim_interface.switching import (
    Seen,
    SwitchGroup,
    SwitchOutcome,
    SwitchResult,
    restore_switches,
    switch_over,
)
from escalator.vim_interface.switching.octavia import OctaviaSwitcher

TRIO = SwitchGroup(id="pair", members=tuple(make_member(x, f"node-0{n}") for n, x in enumerate("abc", 1)))
SHARED = replace(ORDER, to_server=None)


def member(server: str, number: int, pool: str = "web", **changes: object) -> PoolMember:
    known = {"weight": 5, "operating_status": "ONLINE", "provisioning_status": "ACTIVE"} | changes
    return PoolMember(id=f"m-{server}", pool_id=pool, address=f"10.0.0.{number}", **known)  # type: ignore[arg-type]


class Trio:
    """Three members in two pools, with a book and a clock."""

    def __init__(self) -> None:
        self.network: FakeNetwork = make_network().add(make_port("c", "node-03", "10.0.0.3"))
        self.balancers = FakeBalancers(
            {
                "web": [member("a", 1), member("b", 2), member("c", 3), member("x", 200)],
                "sip": [member("a", 1, "sip", weight=7), member("b", 2, "sip")],
            }
        )
        self.book = FakeBook()
        self.clock = FakeClock()

    def switcher(self, *, pool: str | None = None) -> OctaviaSwitcher:
        means = OctaviaMeans(pool=pool, load_balancer=None if pool else "lb", drain_seconds=30)
        return OctaviaSwitcher(
            means, TRIO, self.network, self.balancers, clock=self.clock, sleep=self.clock.sleep
        )

    def run(self) -> SwitchResult:
        return switch_over(self.switcher(), self.book, SHARED, clock=self.clock, sleep=self.clock.sleep)

    def restore(self) -> tuple[str, ...]:
        return restore_switches(
            self.book, "c", "r", "node-01", switcher_of=lambda _: self.switcher(), clock=self.clock
        )

    def weights(self, server: str = "a") -> dict[str, int]:
        pools = self.balancers.members
        return {pool: m.weight for pool in pools for m in pools[pool] if m.id == f"m-{server}"}

    def waited(self) -> float:
        return (self.clock.now - NOW).total_seconds()


@pytest.fixture
def trio() -> Trio:
    return Trio()


def test_weights_become_0_in_every_pool_and_come_back_value_for_value(trio: Trio) -> None:
    assert trio.run().outcome is SwitchOutcome.SWITCHED
    assert trio.weights() == {"web": 0, "sip": 0}
    assert trio.weights("b") == {"web": 5, "sip": 5}
    assert trio.book.of_run("c", "r")[0].found == {"weights": {"web": {"m-a": 5}, "sip": {"m-a": 7}}}
    assert trio.restore() == ()
    assert trio.weights() == {"web": 5, "sip": 7}
    writes = len(trio.balancers.writes)
    assert trio.restore() == ()
    assert len(trio.balancers.writes) == writes


def test_after_a_kill_between_two_pools_the_first_weights_are_not_forgotten(trio: Trio) -> None:
    def kill() -> None:
        raise KilledError

    trio.balancers.after_write = kill
    with pytest.raises(KilledError):
        trio.run()
    trio.balancers.after_write = lambda: None
    assert trio.run().outcome is SwitchOutcome.SWITCHED
    trio.restore()
    assert trio.weights() == {"web": 5, "sip": 7}


def test_what_a_person_has_set_or_removed_meanwhile_stays_and_is_reported(trio: Trio) -> None:
    trio.run()
    trio.balancers.set("web", "m-a", 2)
    trio.balancers.members["sip"] = [m for m in trio.balancers.members["sip"] if m.id != "m-a"]
    gone, changed = sorted(trio.restore(), reverse=True)[::-1]
    assert "member m-a of pool sip is gone" in gone
    assert "weight 2 meanwhile, it had 5: that stays" in changed
    assert trio.weights() == {"web": 2}


def test_member_in_error_keeps_no_other_from_its_weight(trio: Trio) -> None:
    trio.run()
    trio.balancers.broken.add("web")
    (words,) = trio.restore()
    assert "member m-a of pool web is in ERROR" in words
    assert trio.weights() == {"web": 0, "sip": 7}
    trio.balancers.broken.clear()
    assert trio.restore() == ()
    assert trio.weights() == {"web": 5, "sip": 7}


def test_pool_that_is_gone_is_reported(trio: Trio) -> None:
    trio.run()
    del trio.balancers.members["web"]
    assert trio.restore() == ("group pair: pool web is gone",)


def test_open_connections_are_waited_for_and_not_longer_than_the_limit(trio: Trio) -> None:
    trio.balancers.connections = [3, 2, 0]
    trio.run()
    assert trio.waited() == 2
    late = Trio()
    late.balancers.connections = [3]
    late.run()
    assert late.waited() == 30


def test_a_second_run_waits_until_the_same_moment(trio: Trio) -> None:
    trio.balancers.connections = [3]

    def kill(seconds: float) -> None:
        FakeClock.sleep(trio.clock, seconds)
        if trio.waited() >= 20:
            raise KilledError

    with pytest.raises(KilledError):
        switch_over(
            OctaviaSwitcher(
                OctaviaMeans(load_balancer="lb", drain_seconds=30),
                TRIO,
                trio.network,
                trio.balancers,
                clock=trio.clock,
                sleep=kill,
            ),
            trio.book,
            SHARED,
            clock=trio.clock,
            sleep=trio.clock.sleep,
        )
    trio.run()
    assert trio.waited() == 30


def test_the_last_member_that_serves_stays(trio: Trio) -> None:
    trio.balancers.members["sip"] = [
        member("a", 1, "sip"),
        member("b", 2, "sip", operating_status="ERROR"),
    ]
    result = trio.run()
    assert result.outcome is SwitchOutcome.FAILED
    assert "no other member serves in pool sip" in result.words
    assert (trio.balancers.writes, trio.book.records) == ([], [])


def test_member_whose_change_is_under_way_is_not_seen_to_be_left(trio: Trio) -> None:
    trio.balancers.members["web"][0] = member("a", 1, weight=0, provisioning_status="PENDING_UPDATE")
    role = trio.switcher(pool="web").find_role()
    assert (role.see("a"), role.see("b")) == (Seen.UNSEEN, Seen.THERE)


def test_server_that_is_in_no_pool_needs_no_switchover(trio: Trio) -> None:
    trio.balancers.members = {"web": [member("b", 2), member("c", 3)]}
    assert trio.run().outcome is SwitchOutcome.AWAY
    assert trio.balancers.writes == []


def test_a_member_takes_over_when_it_serves_in_every_pool(trio: Trio) -> None:
    b, c = TRIO.members[1:]
    assert trio.switcher().is_healthy(b).ok
    health = trio.switcher().is_healthy(c)
    assert (health.ok, health.words) == (False, "vnf-c does not serve in pool sip")


def test_cloud_without_octavia_fails_in_words(trio: Trio) -> None:
    trio.balancers.there = False
    result = trio.run()
    assert (result.outcome, trio.book.records) == (SwitchOutcome.FAILED, [])
    assert "has no load balancers" in result.words
