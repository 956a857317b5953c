from __future__ import annotations

import io
from dataclasses import replace

from tests.builders import make_cloud, make_node, make_server

from escalator.checks.render import list_lines, say_headline, show
from escalator.upgrade_manager.conditions.question import ask
from escalator.upgrade_manager.conditions.upgrade import check_upgrade, plan_of_check

SNAPSHOT = make_cloud([make_node("a"), make_node("b", memory=1024)], [make_server("big", "a", memory=4096)])
REPORT = check_upgrade(ask(plan_of_check(SNAPSHOT, ["a", "b"]), SNAPSHOT))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_give_the_result_first_then_blockers_with_remedies() -> None:
    lines = list(list_lines(REPORT))
    assert lines[0].startswith("NOT MET: 2 conditions block")
    assert lines[1].startswith("blocker  node a: 1 of 1 servers would have no place")
    assert lines[2] == "         -> add or free capacity in the domain, or leave the node out"
    spare = next(line for line in lines if line.startswith("spare"))
    assert spare.startswith("spare    1 more node in domain cell1/az1/general would do, with 1000 DISK_GB, ")
    assert any(line.startswith("         or: in non-smooth mode") for line in lines)
    assert lines[-1].startswith("expected 5 min, or 14 min when it goes slowly")


def test_the_headline_is_said_of_one_as_of_many() -> None:
    assert say_headline(replace(REPORT, conditions=())).endswith(": 0 conditions block, 0 warn, 0 are met")
    one = next(condition for condition in REPORT.conditions if condition.blocks)
    assert (
        say_headline(replace(REPORT, conditions=(one,))) == "NOT MET: 1 condition blocks, 0 warn, 0 are met"
    )


def test_a_pipe_gets_the_plain_lines() -> None:
    stream = io.StringIO()
    show(REPORT, stream)
    assert stream.getvalue().splitlines() == list(list_lines(REPORT))


def test_a_terminal_gets_a_table() -> None:
    stream = Terminal()
    show(REPORT, stream)
    assert "┃" in stream.getvalue()
    assert "Spare: 1 more node" in stream.getvalue()
    assert "Expected:" in stream.getvalue()
