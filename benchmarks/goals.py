"""What plans have to reach, what they did, and the tables that say so."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from statistics import mean
from typing import Any

Row = dict[str, Any]
DEFAULT_SPILL = 0.02
MOST_MOVES = 1.005
"""Moves over their bound that must not be exceeded where K is 1."""
_HAIR = 1e-9
_ALL = "all"
_COLUMNS = (
    "arm",
    "moves / bound (+ standby)",
    "most moves of one",
    "switchovers a group",
    "double faults",
    "other violations",
    "makespan / bound",
    "stuck",
    "CPU s",
    "peak MB",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A number that must not be above ``must`` and had better not be above ``ambitious``.

    :ivar measured: the worst by fleet size, over seeds; ``spill`` is the budget it was measured with.
    :ivar missed: sizes of fleets in one of which it is above ``must`` and above the least that is possible.
    """

    name: str
    must: float
    ambitious: float
    measured: dict[str, float]
    missed: tuple[str, ...]
    spill: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    name: str
    must: float
    ambitious: float
    of: Callable[[Row], float]
    about: Callable[[Row], bool]
    any_spill: bool = False
    least: Callable[[Row], float] = lambda _: 0.0
    """What no plan for the fleet can be below."""


def _at(share: float) -> Callable[[Row], bool]:
    """Choose the usual fleets where K is about that share of the nodes; 0: where K is 1."""
    return lambda r: _usual(r) and (r["share"] == 0 if share == 0 else abs(r["share"] - share) < share / 2)


def _usual(row: Row) -> bool:
    return row["used"] == 0.85 and not row["empty"]  # noqa: PLR2004 - the fleets of the goals


def _feasible(row: Row) -> bool:
    return not row["refuse"]


def _other_violations(row: Row) -> float:
    return sum(row["violations"].values())


RULES = (
    _Rule(
        name="moves / bound, K = 1",
        must=MOST_MOVES,
        ambitious=1.0,
        of=lambda r: r["moves_ratio"],
        about=_at(0),
    ),
    _Rule(
        name="moves / bound, K = 5 %",
        must=1.03,
        ambitious=1.02,
        of=lambda r: r["moves_ratio"],
        about=_at(0.05),
    ),
    _Rule(
        name="moves of standbys / bound, K = 5 %",
        must=0.05,
        ambitious=0.03,
        of=lambda r: r["standby_ratio"],
        about=_at(0.05),
    ),
    _Rule(
        name="servers moved twice, one empty node a domain, K = 1",
        must=0,
        ambitious=0,
        of=lambda r: r["moved_twice"],
        about=lambda r: r["empty"] > 0 and r["share"] == 0,
    ),
    _Rule(
        name="most moves of one server, K = 1",
        must=2,
        ambitious=2,
        of=lambda r: r["most_moves"],
        about=_at(0),
    ),
    _Rule(
        name="most moves of one server, K = 5 %",
        must=3,
        ambitious=2,
        of=lambda r: r["most_moves"],
        about=_at(0.05),
    ),
    _Rule(
        name="switchovers a 1+1 group, K = 1",
        must=1.06,
        ambitious=1.02,
        of=lambda r: r["switchovers"],
        about=_at(0),
        least=lambda r: r["least_switchovers"],
    ),
    _Rule(
        name="switchovers a 1+1 group, K = 5 %",
        must=1.20,
        ambitious=1.06,
        of=lambda r: r["switchovers"],
        about=_at(0.05),
    ),
    _Rule(
        name="double faults",
        must=0,
        ambitious=0,
        of=lambda r: r["double_faults"],
        about=lambda _: True,
        any_spill=True,
    ),
    _Rule(
        name="violations of capacity, affinity, K and all else",
        must=0,
        ambitious=0,
        of=_other_violations,
        about=lambda _: True,
        any_spill=True,
    ),
    _Rule(
        name="makespan / bound, K = 1",
        must=1.01,
        ambitious=1.005,
        of=lambda r: r["makespan_ratio"],
        about=_at(0),
    ),
    _Rule(
        name="makespan / bound, K = 2 %",
        must=1.05,
        ambitious=1.02,
        of=lambda r: r["makespan_ratio"],
        about=_at(0.02),
    ),
    _Rule(
        name="makespan / bound, K = 5 %",
        must=1.10,
        ambitious=1.04,
        of=lambda r: r["makespan_ratio"],
        about=_at(0.05),
    ),
    _Rule(
        name="servers stuck", must=0, ambitious=0, of=lambda r: r["stuck"], about=_feasible, any_spill=True
    ),
    _Rule(
        name="servers moved where there is less to spare than one node",
        must=0,
        ambitious=0,
        of=lambda r: r["moves"],
        about=lambda r: r["refuse"],
        any_spill=True,
    ),
    _Rule(
        name="CPU seconds, K = 1, 5,000 nodes",
        must=30,
        ambitious=5,
        of=lambda r: r["cpu_seconds"],
        about=lambda r: r["nodes"] == 5000 and r["share"] == 0,  # noqa: PLR2004
        any_spill=True,
    ),
    _Rule(
        name="CPU seconds, K = 250, 5,000 nodes",
        must=30,
        ambitious=15,
        of=lambda r: r["cpu_seconds"],
        about=lambda r: r["nodes"] == 5000 and r["share"] > 0,  # noqa: PLR2004
        any_spill=True,
    ),
    _Rule(
        name="peak MB, 5,000 nodes",
        must=500,
        ambitious=500,
        of=lambda r: r["peak_mb"],
        about=lambda r: r["nodes"] == 5000,  # noqa: PLR2004
        any_spill=True,
    ),
)


def judge_goals(rows: Iterable[Row]) -> tuple[Goal, ...]:
    """Judge our rows: at the default spill budget, or at all of them where no budget may break the goal."""
    ours = [row for row in rows if row["spill"] is not None]
    goals = []
    for rule in RULES:
        about = [row for row in ours if rule.about(row) and (rule.any_spill or row["spill"] == DEFAULT_SPILL)]
        if about:
            goals.append(_judged(rule, about))
    return tuple(goals)


def _judged(rule: _Rule, rows: list[Row]) -> Goal:
    sizes = {f"{size:,}": size for size in sorted({row["nodes"] for row in rows})}
    missed = {row["nodes"] for row in rows if rule.of(row) > max(rule.must, rule.least(row) + _HAIR)}
    return Goal(
        name=rule.name,
        must=rule.must,
        ambitious=rule.ambitious,
        measured={
            name: round(max(rule.of(row) for row in rows if row["nodes"] == size), 4)
            for name, size in sizes.items()
        },
        missed=tuple(name for name, size in sizes.items() if size in missed),
        spill=_ALL if rule.any_spill else f"{DEFAULT_SPILL:.0%}",
    )


def passed(goal: Goal) -> bool:
    """Tell whether what must be reached is."""
    return not goal.missed


def write_tables(rows: Iterable[Row], goals: Iterable[Goal]) -> str:
    """Write the goals and what every arm came to as Markdown."""
    return "\n".join([*_goal_lines(goals), "", *_arm_lines(rows)])


def _goal_lines(goals: Iterable[Goal]) -> list[str]:
    goals = tuple(goals)
    sizes = sorted({size for goal in goals for size in goal.measured}, key=lambda s: int(s.replace(",", "")))
    lines = [
        f"| goal | must | ambitious | {' | '.join(f'{size} nodes' for size in sizes)} | reached |",
        f"|---|---|---|{'---|' * len(sizes)}---|",
    ]
    for goal in goals:
        values = [f"{goal.measured[size]:g}" if size in goal.measured else "" for size in sizes]
        lines.append(
            f"| {goal.name} | {goal.must:g} | {goal.ambitious:g} | {' | '.join(values)} | {_verdict(goal)} |"
        )
    return lines


def _verdict(goal: Goal) -> str:
    if not passed(goal):
        return f"FAIL at {' and '.join(goal.missed)} nodes"
    if any(value > goal.must for value in goal.measured.values()):
        return "PASS: less is not possible"
    ambitious = all(value <= goal.ambitious for value in goal.measured.values())
    return "PASS, ambitious" if ambitious else "PASS"


def _arm_lines(rows: Iterable[Row]) -> list[str]:
    lines = []
    for scenario, of_scenario in groupby(rows, key=lambda r: r["scenario"]):
        lines += [
            f"**{scenario}**",
            "",
            f"| {' | '.join(_COLUMNS)} |",
            "|---" * len(_COLUMNS) + "|",
            *(_arm_line(arm, tuple(same)) for arm, same in groupby(of_scenario, key=lambda r: r["arm"])),
            "",
        ]
    return lines[:-1]


def _arm_line(arm: str, rows: tuple[Row, ...]) -> str:
    """Write one arm: the mean of ratios, the sum of what must not happen, the worst of the rest."""
    if not any(row["upgraded"] for row in rows):
        return f"| {arm} | nothing upgraded, {sum(row['moves'] for row in rows)} moves | | | | | | | | |"
    standby = mean(row["standby_ratio"] for row in rows)
    cells = (
        arm,
        f"{mean(row['moves_ratio'] for row in rows):.3f}" + (f" (+{standby:.3f})" if standby else ""),
        max(row["most_moves"] for row in rows),
        f"{mean(row['switchovers'] for row in rows):.3f}",
        sum(row["double_faults"] for row in rows),
        sum(map(_other_violations, rows)),
        f"{mean(row['makespan_ratio'] for row in rows):.3f}",
        sum(row["stuck"] for row in rows),
        f"{max(row['cpu_seconds'] for row in rows):.1f}",
        max(row["peak_mb"] for row in rows),
    )
    return f"| {' | '.join(map(str, cells))} |"
