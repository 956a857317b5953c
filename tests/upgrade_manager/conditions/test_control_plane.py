from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import BUNDLE, make_cloud, make_node

from escalator.model.bundle import Component
from escalator.model.check_report import Condition
from escalator.model.control_plane import ControlPlane
from escalator.model.verdict import Code, Severity
from escalator.upgrade_manager.conditions.control_plane import check_control_plane
from escalator.upgrade_manager.conditions.question import ask
from escalator.upgrade_manager.conditions.upgrade import check_upgrade, plan_of_check

LAB = ControlPlane(lowest="2.1", highest="2.104")


def look(control: ControlPlane | None, to: str = "34.0.0", *, cells: str = "cell1 cell1") -> list[Condition]:
    nodes = [
        make_node(host, cell=cell, versions={"nova-compute": "33.0.0"})
        for host, cell in zip("ab", cells.split(), strict=True)
    ]
    bundle = replace(BUNDLE, components=(Component(name="nova-compute", to=to),))
    snapshot = make_cloud(nodes, control_plane=control)
    question = ask(plan_of_check(snapshot, ["a", "b"], bundle=bundle), snapshot, bundle=bundle)
    return list(check_control_plane(question, ""))


@pytest.mark.parametrize(
    ("highest", "to", "code", "severity"),
    [
        ("2.104", "34.0.0", Code.CONTROL_PLANE, Severity.INFO),
        ("2.104", "2026.2", Code.CONTROL_PLANE, Severity.INFO),
        ("2.103", "34.0.0", Code.CONTROL_PLANE_BEHIND, Severity.BLOCKER),
        ("2.100", "31.0.0", Code.CONTROL_PLANE, Severity.INFO),
        ("2.100", "32.0.0", Code.CONTROL_PLANE_BEHIND, Severity.WARNING),
        ("2.100", "33.0.0", Code.CONTROL_PLANE_BEHIND, Severity.BLOCKER),
        ("2.104", "32.0.0", Code.VERSION_TOO_FAR, Severity.WARNING),
        ("2.120", "34.0.0", Code.CONTROL_PLANE, Severity.INFO),
        ("2.120", "36.0.0", Code.CONTROL_PLANE_BEHIND, Severity.WARNING),
    ],
)
def test_computes_do_not_go_ahead_of_the_control_plane(
    highest: str, to: str, code: Code, severity: Severity
) -> None:
    (condition,) = look(replace(LAB, highest=highest), to)
    assert (condition.code, condition.severity, condition.met) == (code, severity, code is Code.CONTROL_PLANE)


def test_a_control_plane_without_the_needed_microversions_blocks() -> None:
    (condition,) = look(replace(LAB, highest="2.88"))
    assert condition.blocks
    assert "needs those from 2.87 to 2.90" in condition.message


def test_several_cells_that_nobody_knows_of_block_loudly() -> None:
    apart = replace(LAB, apart=(("a", "b"),))
    (blocker,) = [c for c in look(apart) if c.code is Code.CELLS_UNKNOWN]
    assert blocker.blocks
    assert "a, b are not all in one" in blocker.message
    assert "inventory settings" in str(blocker.remedy)
    assert not [c for c in look(apart, cells="cell1 cell2") if c.blocks]


def test_a_snapshot_that_says_nothing_of_it_is_named_so() -> None:
    (condition,) = look(None)
    assert (condition.code, condition.severity) == (Code.NOT_CHECKED, Severity.INFO)


def test_it_is_looked_at_once_in_every_check() -> None:
    snapshot = make_cloud([make_node("a"), make_node("b")], control_plane=replace(LAB, highest="2.103"))
    report = check_upgrade(ask(plan_of_check(snapshot, ["a"], bundle=BUNDLE), snapshot, bundle=BUNDLE))
    assert [c.code for c in report.conditions if c.blocks] == [Code.CONTROL_PLANE_BEHIND]
