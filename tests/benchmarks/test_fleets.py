import pytest
from benchmarks.baselines import ARMS, Arm, Loop
from benchmarks.fleets import Fleet

from escalator.replay import ReplayOptions, ViolationCode, check_trace

SMALL = Fleet(nodes=30)


def test_a_description_always_gives_the_same_fleet() -> None:
    assert SMALL.snapshot() == SMALL.snapshot()
    assert SMALL.snapshot() != Fleet(nodes=30, seed=2).snapshot()


def test_what_a_fleet_is_like() -> None:
    snapshot = Fleet(nodes=120, empty=1).snapshot()
    nodes = {node.host: node for node in snapshot.nodes}
    servers = {server.id: server for server in snapshot.servers}
    full = [n for n in snapshot.nodes if snapshot.servers_on(n.host)]
    assert len({n.domain for n in snapshot.nodes}) == 120 - len(full) == 6
    capacity = sum(n.inventory["MEMORY_MB"].capacity for n in full)
    assert 0.84 < sum(s.resources["MEMORY_MB"] for s in snapshot.servers) / capacity < 0.86
    assert 38 < len(snapshot.servers) / len(full) < 42
    assert 0.22 < 2 * len(snapshot.ha_groups) / len(snapshot.servers) < 0.26
    pairs = [[nodes[servers[m].host or ""] for m in g.members] for g in snapshot.ha_groups]
    assert all(one.host != other.host for one, other in pairs)
    assert 0.2 < sum(one.zone != other.zone for one, other in pairs) / len(pairs) < 0.4


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_one_node_at_a_time_every_arm_keeps_the_rules(arm: Arm) -> None:
    snapshot = Fleet(nodes=30, used=0.6).snapshot()
    report = check_trace(snapshot, Loop(snapshot, arm, 1).run(), ReplayOptions(members_stay=True))
    assert {v.code for v in report.violations} <= {ViolationCode.HA_IMPACT}  # recovery is not known to all
    assert len(report.facts.upgraded) == 30


def test_an_arm_that_knows_pairs_has_no_double_fault() -> None:
    snapshot = Fleet(nodes=60, used=0.6).snapshot()
    counts = {
        arm.name: check_trace(snapshot, Loop(snapshot, arm, 6).run()).facts.double_faults for arm in ARMS
    }
    assert {name for name, count in counts.items() if count == 0} == {"upgraded first, HA-aware"}
