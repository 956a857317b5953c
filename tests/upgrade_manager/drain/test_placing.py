from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import (
    NOW,
    make_busy_node,
    make_cloud,
    make_pair,
    make_server,
    make_target,
    simulate_drain,
)

from escalator.model.cloud import (
    CloudSnapshot,
    HaGroup,
    Migration,
    MigrationStatus,
    ResourceInventory,
    ServerGroup,
)
from escalator.model.verdict import Code
from escalator.upgrade_manager.drain.placing import Placing, simulate
from escalator.upgrade_manager.state.capacity import CapacityBook, Tier


def grouped(policy: str, *hosts: str, others: tuple[str, ...] = ("b", "c"), most: int = 1) -> CloudSnapshot:
    servers = [make_server(f"m{i}", host) for i, host in enumerate(hosts)]
    members = tuple(s.id for s in servers)
    group = ServerGroup(id="sg", policy=policy, members=members, max_server_per_host=most)
    nodes = [make_target(host) for host in sorted({*hosts, *others})]
    return make_cloud(nodes, servers, server_groups=(group,))


def test_members_that_must_be_apart_land_apart() -> None:
    assert simulate_drain(grouped("anti-affinity", "a", "b"), ["a"]).placements == {"id-m0": "c"}


def test_two_members_of_one_drain_land_on_two_nodes() -> None:
    found = simulate_drain(grouped("anti-affinity", "a", "a"), ["a"]).placements
    assert sorted(found.values()) == ["b", "c"]


def test_members_on_every_node_are_a_deadlock_that_names_the_group() -> None:
    (verdict,) = simulate_drain(grouped("anti-affinity", "a", "b", "c"), ["a"]).unplaced
    assert verdict.code is Code.SERVER_GROUP
    assert "sg keeps its members apart" in verdict.message


def test_a_group_may_have_several_members_on_a_node() -> None:
    six = ("a", "b", "c") * 2
    assert sorted(simulate_drain(grouped("anti-affinity", *six, most=3), ["a"]).placements.values()) == [
        "b",
        "c",
    ]
    (one, two) = simulate_drain(grouped("anti-affinity", *six, most=2), ["a"]).unplaced
    assert one.code is two.code is Code.SERVER_GROUP
    assert "2 of them, as many as it allows" in one.message
    assert len(simulate_drain(grouped("anti-affinity", *six, most=1), ["a"]).unplaced) == 2


def on_its_way(
    snapshot: CloudSnapshot, server: str, dest: str, *, task: str | None = "migrating"
) -> CloudSnapshot:
    """Let a server of a snapshot be on its way to a node."""
    servers = tuple(replace(s, task_state=task) if s.id == server else s for s in snapshot.servers)
    (source,) = (s.host for s in servers if s.id == server)
    migration = Migration(
        id=1,
        uuid="u-1",
        server_id=server,
        type="live-migration",
        status=MigrationStatus.RUNNING,
        source_host=str(source),
        dest_host=dest,
        created_at=NOW,
    )
    return replace(snapshot, servers=servers, migrations=(migration,))


@pytest.mark.parametrize("policy", ["anti-affinity", "soft-anti-affinity"])
def test_the_destination_of_a_member_in_flight_is_taken_at_once(policy: str) -> None:
    apart = grouped(policy, "a", "b", others=("c", "d"))
    assert simulate_drain(apart, ["b"], out=["a"]).placements == {"id-m1": "c"}
    assert simulate_drain(on_its_way(apart, "id-m0", "c"), ["b"], out=["a"]).placements == {"id-m1": "d"}
    stale = on_its_way(apart, "id-m0", "c", task=None)
    assert simulate_drain(stale, ["b"], out=["a"]).placements == {"id-m1": "c"}


def test_a_member_in_flight_is_no_deadlock_of_a_later_time() -> None:
    """When the time comes, it has landed and its node is back."""
    flying = on_its_way(grouped("anti-affinity", "a", "b", others=("c",)), "id-m0", "c")
    assert not simulate_drain(flying, ["b"], out=["a"]).feasible
    book = CapacityBook(flying, in_flight=False)
    assert simulate(book, ["b"]).placements == {"id-m1": "c"}


def test_a_server_in_flight_goes_where_it_is_going() -> None:
    flying = on_its_way(grouped("anti-affinity", "a", "b", others=("c", "d")), "id-m0", "d")
    placing = Placing(CapacityBook(flying), closed={"a"})
    assert placing.try_add(flying.servers[0])
    assert placing.placements == {"id-m0": "d"}


def test_a_soft_policy_is_kept_where_it_can_be() -> None:
    assert simulate_drain(grouped("soft-anti-affinity", "a", "b"), ["a"]).placements == {"id-m0": "c"}
    assert simulate_drain(grouped("soft-anti-affinity", "a", "b", "c"), ["a"]).feasible


def test_members_that_must_be_together_move_only_alone() -> None:
    together = simulate_drain(grouped("affinity", "a", "a"), ["a"])
    assert {v.code for v in together.unplaced} == {Code.SERVER_GROUP}
    assert "moves them one by one" in together.unplaced[0].message
    assert simulate_drain(grouped("affinity", "a"), ["a"]).feasible


def test_members_of_ha_groups_stay_unless_they_must_move() -> None:
    group, members = make_pair("db", "a", "b")
    snapshot = make_cloud([make_target("a"), make_target("b"), make_target("c")], members, ha_groups=(group,))
    assert simulate_drain(snapshot, ["a"]).placements == {}
    assert set(simulate_drain(snapshot, ["a"], members_stay=False).placements) == {"id-db-a"}


def test_a_group_of_one_is_moved() -> None:
    group = HaGroup(id="solo", mode="active-standby", members=("id-s",))
    snapshot = make_cloud([make_target("a"), make_target("b")], [make_server("s", "a")], ha_groups=(group,))
    assert simulate_drain(snapshot, ["a"]).placements == {"id-s": "b"}


def test_destinations_in_order_upgraded_then_spare_then_pending_then_the_tightest() -> None:
    nodes = [
        make_target("a"),
        make_target("pending", memory=3000),
        make_busy_node("spare", memory=20000),
        make_target("roomy", upgraded=True, memory=32768),
        make_target("tight", upgraded=True, memory=4096),
    ]
    snapshot = make_cloud(nodes, [make_server(f"s{i}", "a") for i in range(2)])
    book = CapacityBook(snapshot)
    assert book.tiers == {
        "a": Tier.PENDING,
        "pending": Tier.PENDING,
        "spare": Tier.SPARE,
        "roomy": Tier.UPGRADED,
        "tight": Tier.UPGRADED,
    }
    ranked = [n.host for n in Placing(book, closed={"a"}).rank_nodes(snapshot.servers[0])]
    assert ranked == ["tight", "roomy", "spare", "pending"]
    assert simulate_drain(snapshot, ["a"]).moved_twice == 0


def test_what_lands_on_pending_nodes_moves_twice() -> None:
    found = simulate_drain(make_cloud([make_target("a"), make_target("b")], [make_server("s", "a")]), ["a"])
    assert found.moved_twice == 1
    book = CapacityBook(make_cloud([make_target("a"), make_target("b")], [make_server("s", "a")]))
    assert not Placing(book, worst=Tier.SPARE).try_add(make_server("s", "a"))


def test_reserved_memory_ratio_and_largest_unit_count() -> None:
    inventory = {
        "MEMORY_MB": ResourceInventory(total=4096, reserved=1024, allocation_ratio=1.5, max_unit=4000)
    }
    snapshot = make_cloud([make_target("a"), make_target("b", inventory=inventory)])
    wide = make_server("wide", "a", resources={"MEMORY_MB": 4001})
    fits = make_server("fits", "a", resources={"MEMORY_MB": 4000})
    book = CapacityBook(snapshot)
    assert book.free("b") == {"MEMORY_MB": 4608}
    assert not Placing(book).try_add(wide)
    assert Placing(book).try_add(fits)


@pytest.mark.parametrize("upgraded", [True, False])
def test_a_book_follows_what_happens(*, upgraded: bool) -> None:
    one = make_server("s", "a")
    snapshot = make_cloud([make_target("a"), make_target("b")], [one])
    book = CapacityBook(snapshot)
    book.close("a")
    book.close("a")
    book.take("b", one)
    assert book.free("b")["MEMORY_MB"] == 16384 - 512 - 2048
    book.take("a", one, give_back=True)
    book.reopen("a", upgraded=upgraded)
    tier = book.open_tiers(make_target("a").domain)[Tier.UPGRADED if upgraded else Tier.PENDING]
    assert (16384 - 512, "a") in tier


def test_no_server_goes_to_an_older_hypervisor() -> None:
    old, new = {"hypervisor": "8.2.0"}, {"hypervisor": "9.0.0"}
    nodes = [
        make_target("a", versions=new),
        make_target("old", versions=old, memory=4096),
        make_target("new", versions=new),
    ]
    assert simulate_drain(make_cloud(nodes, [make_server("s", "a")]), ["a"]).placements == {"id-s": "new"}
    (verdict,) = simulate_drain(make_cloud(nodes[:2], [make_server("s", "a")]), ["a"]).unplaced
    assert verdict.code is Code.HYPERVISOR_OLDER
    back = make_cloud(
        [make_target("a", versions=old), make_target("b", versions=new)], [make_server("s", "a")]
    )
    assert simulate_drain(back, ["a"]).feasible
