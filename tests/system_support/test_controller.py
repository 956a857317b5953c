from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from escalator.model.errors import InvalidRequestError, NodeFaultError
from escalator.model.inventory_settings import Controller
from escalator.model.verdict import Code, Severity
from escalator.system_support.controller import parse_cells, read_cells, read_upgrade_check
from escalator.system_support.shell import CommandResult

CONTROLLER = Controller(address="ctl-01", nova_manage="docker exec 'nova api' nova-manage")
TABLE = """Welcome to ctl-01 | have a nice day
+-----------+--------------------------------------+----------+
| Cell Name |              Cell UUID               | Hostname |
+-----------+--------------------------------------+----------+
|   cell1   | 8ff1a4f2-7a4b-4c0c-9d0a-3a7b2b1e6a11 | node-01  |
|   None    | 9aa1a4f2-7a4b-4c0c-9d0a-3a7b2b1e6a11 | node-02  |
+-----------+--------------------------------------+----------+
"""


@dataclass
class OneAnswer:
    """A shell that answers every command alike."""

    stdout: str = ""
    exit_code: int = 0
    stderr: str = ""
    host: str = "ctl-01"
    asked: list[str] = field(default_factory=list)

    def run(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        raise AssertionError((command, timeout_seconds))

    def run_as_root(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        assert timeout_seconds
        self.asked.append(command)
        return CommandResult(exit_code=self.exit_code, stdout=self.stdout, stderr=self.stderr)


def test_the_cell_of_each_host_is_read_from_novas_table() -> None:
    shell = OneAnswer(TABLE)
    assert read_cells(shell, CONTROLLER) == {
        "node-01": "cell1",
        "node-02": "9aa1a4f2-7a4b-4c0c-9d0a-3a7b2b1e6a11",
    }
    assert shell.asked == ["docker exec 'nova api' nova-manage cell_v2 list_hosts"]


def test_the_only_cell_is_called_as_ever_where_nobody_gave_it_a_name() -> None:
    only = "".join(line for line in TABLE.splitlines(keepends=True) if "node-01" not in line)
    assert parse_cells(only) == {"node-02": "cell1"}
    assert parse_cells("| Cell Name | Cell UUID | Hostname |") == {}


@pytest.mark.parametrize("text", ["", "no table", "| a | b |\n| c | d |", "| a | b | c |\n| d | e |"])
def test_what_is_no_such_table_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        parse_cells(text)
    with pytest.raises(NodeFaultError, match="ctl-01"):
        read_cells(OneAnswer(text), CONTROLLER)


def test_a_command_that_fails_is_told_in_its_last_words() -> None:
    with pytest.raises(NodeFaultError, match="no such container") as caught:
        read_cells(OneAnswer("", 1, "no such container"), CONTROLLER)
    assert "inventory settings" in str(caught.value.remedy)


def status(*checks: dict[str, Any]) -> str:
    return "a banner\n" + json.dumps({"name": "Upgrade Check Results", "checks": checks}) + "\n"


def test_failures_of_novas_own_check_block_and_warnings_warn() -> None:
    text = status(
        {"check": "Cells v2", "result": 0, "details": None},
        {"check": "Older than N-1 computes", "result": 1, "details": "some are\n older"},
        {"check": "hw_machine_type unset", "result": 2, "details": None},
    )
    shell = OneAnswer(text, 2)
    found = read_upgrade_check(shell, CONTROLLER)
    assert [(v.code, v.severity) for v in found] == [
        (Code.CONTROL_PLANE_NOT_READY, Severity.WARNING),
        (Code.CONTROL_PLANE_NOT_READY, Severity.BLOCKER),
    ]
    assert found[0].message.endswith("Older than N-1 computes: some are older")
    assert all(v.remedy for v in found)
    assert shell.asked == ["nova-status upgrade check --json"]


def test_all_is_well() -> None:
    (verdict,) = read_upgrade_check(OneAnswer(status({"check": "a", "result": 0})), CONTROLLER)
    assert (verdict.code, verdict.severity) == (Code.CONTROL_PLANE, Severity.INFO)


@pytest.mark.parametrize(
    "text", ["", "Error:\nTraceback", "{", "[1]", '{"checks": 1}', '{"checks": [1]}', "[" * 9000]
)
def test_an_answer_that_cannot_be_read_is_a_warning(text: str) -> None:
    (verdict,) = read_upgrade_check(OneAnswer(text, 255), CONTROLLER)
    assert (verdict.code, verdict.severity) == (Code.NOT_CHECKED, Severity.WARNING)
