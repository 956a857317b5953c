import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import DOMAIN, disabled, down, make_cloud, make_node, make_server, simulate_drain
from tests.upgrade_manager.clouds import clouds, few

from escalator.model.cloud import CloudSnapshot, ResourceInventory
from escalator.model.verdict import Code
from escalator.upgrade_manager.drain.placing import Placing, simulate
from escalator.upgrade_manager.state.capacity import CapacityBook, is_moved_cold, needs_place


def test_upgraded_nodes_first_then_by_name() -> None:
    nodes = [make_node("a"), make_node("c"), make_node("b"), make_node("d", upgraded=True, memory=2048)]
    simulation = simulate_drain(make_cloud(nodes, [make_server("s1", "a"), make_server("s2", "a")]), ["a"])
    assert simulation.placements == {"id-s1": "d", "id-s2": "b"}
    assert simulation.feasible
    assert simulation.shortfall == ""


def test_largest_first() -> None:
    nodes = [make_node("a"), make_node("b", memory=4096), make_node("c", memory=2048)]
    servers = [make_server("small", "a"), make_server("large", "a", memory=4096)]
    assert simulate_drain(make_cloud(nodes, servers), ["a"]).placements == {"id-large": "b", "id-small": "c"}


def test_shortage_names_resource_node_and_numbers() -> None:
    nodes = [
        make_node("a"),
        make_node("b", memory=4096, usage={"MEMORY_MB": 1096}),
        make_node("c", memory=1024),
    ]
    simulation = simulate_drain(make_cloud(nodes, [make_server("big", "a", memory=8192)]), ["a"])
    (verdict,) = simulation.unplaced
    assert not simulation.feasible
    assert verdict.code is Code.CAPACITY
    assert "b, lacks 5192 MEMORY_MB (8192 wanted, 3000 there)" in verdict.message
    assert verdict.subject.name == "big"
    assert verdict.remedy


def test_nodes_that_take_nothing() -> None:
    nodes = [
        make_node("a"),
        disabled(make_node("b")),
        down(make_node("c")),
        make_node("d", forced_down=True),
        make_node("e", domain="cell1/az1/fast"),
        make_node("f"),
    ]
    simulation = simulate_drain(make_cloud(nodes, [make_server("s", "a")]), ["a"], out=["f"])
    assert [v.code for v in simulation.unplaced] == [Code.NO_DESTINATION]


def test_draining_nodes_do_not_choose_one_another() -> None:
    nodes = [make_node("a"), make_node("b"), make_node("c", memory=4096)]
    simulation = simulate_drain(
        make_cloud(nodes, [make_server("s1", "a"), make_server("s2", "b")]), {"a", "b"}
    )
    assert simulation.placements == {"id-s1": "c", "id-s2": "c"}


def test_traits_zone_and_max_unit() -> None:
    inventory = {
        "VCPU": ResourceInventory(total=64, max_unit=4),
        "MEMORY_MB": ResourceInventory(total=65536),
        "DISK_GB": ResourceInventory(total=1000),
    }
    nodes = [make_node("a"), make_node("b", inventory=inventory)]
    servers = [
        make_server("gpu", "a", required_traits=frozenset({"HW_GPU"})),
        make_server("pinned", "a", pinned_zone="az9"),
        make_server("wide", "a", vcpus=8),
        make_server("fits", "a", vcpus=4),
    ]
    simulation = simulate_drain(make_cloud(nodes, servers), ["a"])
    assert simulation.placements == {"id-fits": "b"}
    found = {v.subject.name: (v.code, v.message) for v in simulation.unplaced}
    assert found["gpu"][0] is Code.NO_DESTINATION
    assert "HW_GPU" in found["gpu"][1]
    assert found["pinned"][0] is Code.SERVER_PINNED
    assert "4 VCPU (8 wanted, 4 there)" in found["wide"][1]


def test_a_resource_class_that_no_other_node_has() -> None:
    wants = make_server("s", "a", resources={"MEMORY_MB": 1, "VGPU": 1, "CUSTOM_NONE": 0})
    own = make_node("a")
    own = replace(own, inventory={**own.inventory, "VGPU": ResourceInventory(total=1)})
    (verdict,) = simulate_drain(make_cloud([own, make_node("b")], [wants]), ["a"]).unplaced
    assert "1 VGPU (1 wanted, 0 there)" in verdict.message
    assert "CUSTOM_NONE" not in verdict.message


def test_a_resource_class_that_no_node_is_known_to_have_is_not_counted() -> None:
    wants = make_server("s", "a", resources={"MEMORY_MB": 1, "VGPU": 1, "CUSTOM_NONE": 0})
    book = CapacityBook(make_cloud([make_node("a"), make_node("b")], [wants]))
    assert book.find_uncounted(wants) == {"VGPU"}
    assert simulate(book, ["a"]).placements == {"id-s": "b"}


@pytest.mark.parametrize("name", ["VCPU", "PCPU", "MEMORY_MB", "DISK_GB"])
def test_the_common_classes_count_though_no_node_has_them(name: str) -> None:
    wants = make_server("s", "a", resources={name: 1})
    nodes = [make_node(host, inventory={"NET": ResourceInventory(total=1)}) for host in "ab"]
    assert not simulate_drain(make_cloud(nodes, [wants]), ["a"]).feasible


@pytest.mark.parametrize("fields", [{"vm_state": "stopped"}, {"migration": "cold"}])
def test_a_server_is_moved_cold_when_it_is_off_or_its_owner_says_so(fields: dict[str, str]) -> None:
    off, on = make_server("s", "a", **fields), make_server("t", "a", vm_state="error")
    book = CapacityBook(make_cloud([make_node("a")], [off, on]))
    assert (is_moved_cold(off), book.shape(off).live) == (True, False)
    assert (is_moved_cold(on), book.shape(on).live) == (False, True)


def test_the_age_of_hypervisors_binds_live_moves_only() -> None:
    nodes = [
        make_node("a", versions={"hypervisor": "9.0.0"}),
        make_node("b", versions={"hypervisor": "8.2.0"}),
    ]
    live, off = make_server("live", "a"), make_server("off", "a", vm_state="stopped")
    assert simulate_drain(make_cloud(nodes, [off]), ["a"]).placements == {"id-off": "b"}
    (verdict,) = simulate_drain(make_cloud(nodes, [live]), ["a"]).unplaced
    assert verdict.code is Code.HYPERVISOR_OLDER


def test_a_node_with_a_trait_that_a_server_forbids_is_no_place_for_it() -> None:
    nodes = [make_node("a"), make_node("b", traits=frozenset({"SLOW"}))]
    cloud = make_cloud(nodes, [make_server("s", "a", forbidden_traits=frozenset({"SLOW"}))])
    (verdict,) = simulate_drain(cloud, ["a"]).unplaced
    assert verdict.message == "no node that takes servers is without SLOW"


def test_a_host_that_is_not_there_has_nothing_to_move() -> None:
    assert (
        simulate_drain(make_cloud([make_node("a")], [make_server("s", "gone")]), ["gone", "never"]).placements
        == {}
    )


@pytest.mark.parametrize(
    ("state", "migration", "wanted"),
    [
        ("active", "live", True),
        ("stopped", "live", True),
        ("suspended", "live", True),
        ("shelved_offloaded", "live", False),
        ("deleted", "live", False),
        ("soft-delete", "live", False),
        ("active", "none", False),
    ],
)
def test_who_needs_a_place(*, state: str, migration: str, wanted: bool) -> None:
    assert needs_place(make_server("s", "a", vm_state=state, migration=migration)) is wanted


def test_usage_counts_what_placement_says_or_the_servers_when_they_are_more() -> None:
    nodes = [make_node("a", usage={"MEMORY_MB": 5000}), make_node("b", usage={"MEMORY_MB": 100})]
    servers = [
        make_server("s1", "b"),
        make_server("s2", "b", vm_state="soft-delete"),
        make_server("s3", "b", vm_state="shelved_offloaded"),
    ]
    book = CapacityBook(make_cloud(nodes, servers))
    assert book.used("a") == {"MEMORY_MB": 5000}
    assert book.used("b") == {"MEMORY_MB": 4096, "VCPU": 2, "DISK_GB": 20}
    assert book.free("b")["MEMORY_MB"] == 16384 - 4096
    assert book.used("nowhere") == {}


@given(clouds(), st.data())
@few
def test_a_drain_never_overfills_and_names_everybody(snapshot: CloudSnapshot, data: st.DataObject) -> None:
    hosts = data.draw(st.sets(st.sampled_from([n.host for n in snapshot.nodes])))
    simulation = simulate_drain(snapshot, hosts)
    movable = {s.id: s for s in snapshot.servers if s.host in hosts and needs_place(s)}
    unplaced = {v.subject.id for v in simulation.unplaced}
    assert unplaced | set(simulation.placements) == set(movable)
    assert not unplaced & set(simulation.placements)
    book = CapacityBook(snapshot)
    for target in snapshot.nodes:
        arriving = [movable[i] for i, host in simulation.placements.items() if host == target.host]
        if arriving:
            assert target.eligible_destination
            assert target.host not in hosts
        for name, item in target.inventory.items():
            added = sum(s.resources[name] for s in arriving)
            assert not added or book.used(target.host).get(name, 0) + added <= item.capacity
        assert all(s.required_traits <= target.traits for s in arriving)
        assert all(s.pinned_zone in {None, target.zone} for s in arriving)


@given(clouds())
@few
def test_the_order_of_a_snapshot_does_not_matter(snapshot: CloudSnapshot) -> None:
    turned = make_cloud(snapshot.nodes[::-1], snapshot.servers[::-1])
    hosts = [n.host for n in snapshot.nodes[:2]]
    assert simulate_drain(snapshot, hosts) == simulate_drain(turned, hosts[::-1])


def test_a_hundred_nodes_of_forty_servers_are_quick() -> None:
    names = [f"n{i:03}" for i in range(100)]
    nodes = [make_node(name, memory=41 * 2048, vcpus=64) for name in names]
    servers = [make_server(f"{name}-{i}", name) for name in names for i in range(40)]
    snapshot = make_cloud(nodes, servers)
    durations = []
    for _ in range(3):
        start = time.perf_counter()
        assert len(simulate_drain(snapshot, ["n042"]).placements) == 40
        durations.append(time.perf_counter() - start)
    assert min(durations) < 0.05
    assert nodes[0].domain == DOMAIN


def test_a_hopeless_server_does_not_spoil_its_like() -> None:
    hopeless = make_server("a-first", "a", required_traits=frozenset({"HW_GPU"}))
    simulation = simulate_drain(
        make_cloud([make_node("a"), make_node("b")], [hopeless, make_server("z-last", "a")]), ["a"]
    )
    assert simulation.placements == {"id-z-last": "b"}


def test_a_node_without_a_resource_class_has_none_when_a_server_left_it() -> None:
    bare = {"VCPU": ResourceInventory(total=16), "MEMORY_MB": ResourceInventory(total=16384)}
    odd, other = make_server("odd", "b"), make_server("other", "a")
    book = CapacityBook(make_cloud([make_node("a"), make_node("b", inventory=bare)], [odd, other]))
    book.take("b", odd, give_back=True)
    assert "DISK_GB" not in book.free("b")
    assert not Placing(book, closed=("a",)).try_add(other)
