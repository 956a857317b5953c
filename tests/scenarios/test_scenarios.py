from __future__ import annotations

import pytest
from tests.scenarios.scenario import load, names

from escalator.model.check_report import CheckReport
from escalator.model.verdict import Code
from escalator.replay.judge import check_trace
from escalator.simulator.engine import simulate
from escalator.simulator.options import SimulationOptions
from escalator.upgrade_manager.feasibility.sequence import drain_in_turn
from escalator.upgrade_manager.feasibility.spare import add_spares

PLANNED = [name for name in names() if load(name).plan is not None]


def unmet(report: CheckReport) -> list[str]:
    """Return the unmet conditions as ``severity code subject``; that SSH was not tried is always one."""
    found = (c for c in report.conditions if not c.met and c.code is not Code.NOT_CHECKED)
    return sorted(f"{c.severity} {c.code} {c.subject.type} {c.subject.id}" for c in found)


@pytest.mark.parametrize("name", names())
def test_the_check_finds_what_is_expected(name: str) -> None:
    scenario = load(name)
    report = scenario.report()
    assert unmet(report) == sorted(scenario.check.get("unmet", []))
    assert report.met == scenario.check["met"]
    text = "\n".join(map(str, report.conditions))
    for words in scenario.check.get("says", []):
        assert words in text
    assert all(c.message and (c.met or c.remedy) for c in report.conditions)


@pytest.mark.parametrize("name", names())
def test_the_spare_proposal_is_the_expected_one_and_is_enough(name: str) -> None:
    scenario = load(name)
    spare = scenario.report().spare
    wanted = scenario.check.get("spare")
    if wanted is None:
        assert spare is None
        return
    assert spare is not None
    assert (spare.nodes, spare.domain) == (wanted["nodes"], wanted.get("domain", spare.domain))
    assert spare.inventory["MEMORY_MB"].total == wanted["memory"]
    assert list(spare.alternatives) == wanted["alternatives"]
    hosts = [n.host for n in scenario.snapshot.nodes if n.target and n.domain == spare.domain]
    stays = scenario.bundle is None or scenario.bundle.members_stay
    assert drain_in_turn(add_spares(scenario.snapshot, spare), hosts, members_stay=stays).feasible


@pytest.mark.parametrize("name", PLANNED)
def test_a_simulated_campaign_does_what_is_expected_and_breaks_no_rule(name: str) -> None:
    scenario = load(name)
    assert scenario.plan is not None
    trace = simulate(
        scenario.snapshot, SimulationOptions(max_parallel=scenario.max_parallel, mode=scenario.mode)
    )
    assert trace["result"]["upgraded"] == scenario.plan["upgraded"]
    held = {item["host"]: item["code"] for item in trace["result"]["held"]}
    assert held == scenario.plan.get("held", {})
    assert [str(v) for v in check_trace(scenario.snapshot, trace).violations] == []
