"""The check and the simulator are asked the same question."""

from __future__ import annotations

from hypothesis import given, settings
from tests.upgrade_manager.feasibility.test_spare import small_clouds

from escalator.model.cloud import CloudSnapshot
from escalator.simulator.engine import simulate
from escalator.simulator.options import SimulationOptions
from escalator.upgrade_manager.conditions.question import ask
from escalator.upgrade_manager.conditions.upgrade import check_upgrade, plan_of_check
from escalator.upgrade_manager.state.targets import mark_targets


@given(small_clouds())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_what_a_simulated_campaign_carries_out_a_check_calls_feasible(snapshot: CloudSnapshot) -> None:
    marked = mark_targets(snapshot)
    held = simulate(marked, SimulationOptions(max_parallel=1))["result"]["held"]
    report = check_upgrade(ask(plan_of_check(marked, [n.host for n in marked.nodes]), marked))
    assert report.met or held
    assert (report.spare is None) == report.met
