"""Plans side by side: how others go through a fleet, and ours, each judged by the replay checker.

``python benchmarks/plans.py`` runs every arm on every fleet, prints tables, writes build/bench/plans.json and
the tables in docs/performance.md. ``--quick`` leaves out the 5,000 nodes and the page.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from baselines import ARMS, FIXED_SECONDS, SECONDS_PER_GIB, UPGRADE_SECONDS, Loop  # noqa: E402
from fleets import Fleet  # noqa: E402
from goals import MOST_MOVES, Goal, judge_goals, passed, write_tables  # noqa: E402
from least import least_switchovers  # noqa: E402

from escalator.model.cloud import CloudSnapshot  # noqa: E402
from escalator.replay import ReplayOptions, ReplayReport, check_trace  # noqa: E402
from escalator.simulator.engine import simulate  # noqa: E402
from escalator.simulator.options import SimulationOptions  # noqa: E402

SPILLS = (0.0, 0.02, 0.05)
OURS = "escalator"
PAGE = ROOT / "docs" / "performance.md"
RESULT = ROOT / "build" / "bench" / "plans.json"
BEGIN, END = "<!-- plans: begin -->", "<!-- plans: end -->"
DURATIONS = ReplayOptions(
    members_stay=True,
    concurrent_migrations=1,
    upgrade_seconds=UPGRADE_SECONDS,
    migration_fixed_seconds=FIXED_SECONDS,
    migration_seconds_per_gib=SECONDS_PER_GIB,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One fleet and K; ``refuse``: there is less to spare than one node holds, so nothing may be moved."""

    nodes: int
    parallel: int
    used: float = 0.85
    empty: int = 0
    seeds: tuple[int, ...] = (1, 2, 3)
    refuse: bool = False

    @property
    def name(self) -> str:
        """Say it in words."""
        empty = ", one empty node a domain" if self.empty else ""
        return f"{self.nodes:,} nodes, {self.used:.0%} used{empty}, K={self.parallel}"


SCENARIOS = (
    Scenario(nodes=50, parallel=1),
    Scenario(nodes=50, parallel=2),
    Scenario(nodes=50, parallel=1, used=0.98, refuse=True),
    Scenario(nodes=500, parallel=1),
    Scenario(nodes=500, parallel=1, empty=1),
    Scenario(nodes=500, parallel=10),
    Scenario(nodes=500, parallel=25),
    Scenario(nodes=500, parallel=25, used=0.3),
    Scenario(nodes=500, parallel=25, used=0.5),
    Scenario(nodes=500, parallel=15, used=0.92),
    Scenario(nodes=5000, parallel=1, seeds=(1,)),
    Scenario(nodes=5000, parallel=250, seeds=(1,)),
)
QUICK_NODES = 500


def main() -> int:
    """Run everything and say which goals are met.

    :return: 0 when every goal that must be met is, else 1.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="50 and 500 nodes only")
    parser.add_argument("--ours", action="store_true", help="leave out the arms of others")
    args = parser.parse_args()
    scenarios = [s for s in SCENARIOS if not args.quick or s.nodes <= QUICK_NODES]
    rows: list[dict[str, Any]] = []
    for row in _rows(scenarios, ours_only=args.ours):
        rows.append(_shown(row))
        goals = _write_result(rows)
    tables = write_tables(rows, goals)
    print(f"\n{tables}\n\nwritten: {RESULT}")
    if not args.quick and not args.ours:
        _write_page(tables)
    return 0 if all(passed(goal) for goal in goals) else 1


def _rows(scenarios: list[Scenario], *, ours_only: bool) -> Iterator[dict[str, Any]]:
    """Run every arm, each in a process of its own, so that its memory is its own."""
    arms = [] if ours_only else [arm.name for arm in ARMS]
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=fresh, max_tasks_per_child=1) as pool:
        for scenario in scenarios:
            for arm in (*arms, *SPILLS):
                for seed in scenario.seeds:
                    yield pool.submit(run_arm, scenario, arm, seed).result()


def run_arm(scenario: Scenario, arm: str | float, seed: int) -> dict[str, Any]:
    """Play one arm on one fleet and judge it; a number for ``arm`` is our spill budget."""
    snapshot = Fleet(nodes=scenario.nodes, used=scenario.used, empty=scenario.empty, seed=seed).snapshot()
    started = time.process_time()
    trace = _play(snapshot, scenario.parallel, arm, seed)
    cpu_seconds = time.process_time() - started
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report = check_trace(snapshot, trace, DURATIONS)
    ours = isinstance(arm, float)
    return {
        "scenario": scenario.name,
        "nodes": scenario.nodes,
        "share": scenario.parallel / scenario.nodes if scenario.parallel > 1 else 0.0,
        "used": scenario.used,
        "empty": scenario.empty,
        "refuse": scenario.refuse,
        "arm": f"{OURS}, spill {arm:.0%}" if ours else arm,
        "spill": arm if ours else None,
        "seed": seed,
        "servers": len(snapshot.servers),
        "least_switchovers": _least(scenario, snapshot),
        "cpu_seconds": round(cpu_seconds, 2),
        "peak_mb": round(peak_mb),
        **_measures(report),
    }


def _least(scenario: Scenario, snapshot: CloudSnapshot) -> float:
    """Return the least switchovers a group where that is known, else 1."""
    alone = scenario.parallel == 1 and not scenario.empty
    return least_switchovers(snapshot, MOST_MOVES) if alone else 1.0


def _play(snapshot: CloudSnapshot, parallel: int, arm: str | float, seed: int) -> dict[str, Any]:
    if isinstance(arm, float):
        options = SimulationOptions(
            max_parallel=parallel,
            spill=arm,
            concurrent_migrations=1,
            upgrade_seconds=UPGRADE_SECONDS,
            migration_fixed_seconds=FIXED_SECONDS,
            migration_seconds_per_gib=SECONDS_PER_GIB,
            seed=seed,
        )
        return simulate(snapshot, options)
    return Loop(snapshot, next(a for a in ARMS if a.name == arm), parallel, seed).run()


def _measures(report: ReplayReport) -> dict[str, Any]:
    facts, counts = report.facts, report.counts()
    least, makespan = max(1, facts.moves_lower_bound), facts.makespan_lower_bound_seconds
    return {
        "upgraded": len(facts.upgraded),
        "moves": facts.moves,
        "moves_ratio": facts.moves / least,
        "standby_ratio": facts.standby_moves / least,
        "moved_twice": facts.moved_twice,
        "most_moves": facts.most_moves_of_one_server,
        "switchovers": facts.switchovers / max(1, facts.groups),
        "double_faults": facts.double_faults,
        "violations": {code: n for code, n in counts.items() if code != "ha_impact"},
        "makespan_ratio": facts.makespan_seconds / makespan if makespan else 0.0,
        "stuck": facts.stuck,
    }


def _write_result(rows: list[dict[str, Any]]) -> tuple[Goal, ...]:
    """Write what there is so far: a run that is ended early leaves its rows."""
    goals = judge_goals(rows)
    document = {"machine": _machine(), "rows": rows, "goals": [asdict(goal) for goal in goals]}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return goals


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    print(f"{row['scenario']}: {row['arm']}, seed {row['seed']}: {row['cpu_seconds']} s", file=sys.stderr)
    return row


def _machine() -> dict[str, Any]:
    return {"python": platform.python_version(), "cores": os.cpu_count(), "machine": platform.machine()}


def _write_page(tables: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text(f"{head}{BEGIN}\n{tables}\n{END}{tail}", encoding="utf-8")
    print(f"written: {PAGE}")


if __name__ == "__main__":
    sys.exit(main())
