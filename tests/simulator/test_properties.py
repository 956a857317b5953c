"""Whatever the fleet: the played campaign breaks no rule that the independent checker knows."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.simulator.fleets import fleets, some

from escalator.model.campaign import UpgradeMode
from escalator.model.cloud import CloudSnapshot
from escalator.replay import check_trace
from escalator.simulator.engine import simulate
from escalator.simulator.options import SimulationOptions
from escalator.simulator.played_cloud import find_targets

options = st.builds(
    SimulationOptions,
    max_parallel=st.integers(1, 4),
    spill=st.sampled_from([0.0, 0.02, 0.5, 1.0]),
    concurrent_migrations=st.integers(1, 3),
    upgrade_seconds=st.sampled_from([10.0, 900.0]),
    mode=st.sampled_from(list(UpgradeMode)),
    members_stay=st.just(True),
)


@given(fleets(), options)
@some
def test_a_replay_is_clean(snapshot: CloudSnapshot, asked: SimulationOptions) -> None:
    trace = simulate(snapshot, asked)
    assert check_trace(snapshot, trace).violations == ()


@given(fleets(), options)
@some
def test_every_target_is_upgraded_or_held_with_a_reason(
    snapshot: CloudSnapshot, asked: SimulationOptions
) -> None:
    result = simulate(snapshot, asked)["result"]
    held = {h["host"] for h in result["held"]}
    assert set(result["upgraded"]) | held == set(find_targets(snapshot))
    assert not set(result["upgraded"]) & held
    assert all(h["code"] and h["reason"] for h in result["held"])


@given(fleets(), options)
@some
def test_the_same_again_is_the_same(snapshot: CloudSnapshot, asked: SimulationOptions) -> None:
    turned = replace(snapshot, nodes=snapshot.nodes, servers=snapshot.servers)
    one, two = simulate(snapshot, asked), simulate(turned, asked)
    one["result"].pop("cpu_seconds")
    two["result"].pop("cpu_seconds")
    assert one == two


@given(fleets(), options)
@some
def test_a_finished_cloud_has_nothing_to_do(snapshot: CloudSnapshot, asked: SimulationOptions) -> None:
    finished = replace(snapshot, nodes=tuple(replace(n, upgraded=True) for n in snapshot.nodes))
    trace = simulate(finished, asked)
    assert trace["events"] == []
    assert trace["result"]["held"] == []
    assert trace["result"]["moves_lower_bound"] == 0
